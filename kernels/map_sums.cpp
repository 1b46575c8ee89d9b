#include "map_sums.hpp"

#include <algorithm>

#include "patches.hpp"

namespace kernels {

using convolution::Shape;

namespace {

struct Arrays {
  std::uint8_t *map, *patches;
  std::int16_t* all;
};

Arrays arrays_of(const Shape& shape, Arena& arena) {
  return {arena.take<std::uint8_t>(shape.grid().size() * shape.channels),
          arena.take<std::uint8_t>(kPatches * bytes_for(shape.elements())),
          arena.take<std::int16_t>(shape.in() * kPanel)};
}

void sums_of_pixels(const InstructionSet& set, const Shape& shape, const std::int16_t* weights,
                    const Arrays& arrays, std::int16_t* out, std::size_t panel_stride) {
  const std::size_t width = shape.summed_width();
  for (std::size_t p = 0; p < panels_for(shape.features); ++p, out += panel_stride) {
    const std::int16_t* of_panel = weights + p * shape.elements() * kPanel;
    // With stride 2, three of four sums are not needed.
    std::int16_t* sums = shape.stride == 1 ? out : arrays.all;
    set.convolution->pixel_sums(arrays.map, shape.grid(), shape.channels, of_panel, sums);
    if (shape.stride == 1) continue;
    for (std::size_t y = 0; y < shape.summed_height(); ++y) {
      for (std::size_t x = 0; x < width; ++x) {
        std::memcpy(out + (y * width + x) * kPanel,
                    sums + (y * shape.width + x) * shape.stride * kPanel,
                    kPanel * sizeof(std::int16_t));
      }
    }
  }
}

}  // namespace

void write_numbers(const std::uint8_t* rows, const Shape& shape, std::int16_t* out) {
  const std::size_t elements = shape.elements(), bytes = bytes_for(elements);
  for (std::size_t n = 0; n < padded(shape.features); ++n) {
    std::int16_t* to = out + n / kPanel * elements * kPanel + n % kPanel;
    for (std::size_t k = 0; k < elements; ++k) {
      const bool exists = n < shape.features;
      const bool set = exists && (rows[n * bytes + k / 8] >> (k % 8) & 1) != 0;
      to[k * kPanel] = static_cast<std::int16_t>(exists ? (set ? 1 : -1) : 0);
    }
  }
}

std::size_t map_sums_scratch(const Shape& shape) {
  Arena arena(nullptr);
  arrays_of(shape, arena);
  return arena.size();
}

void map_sums(const InstructionSet& set, const Shape& shape, const MapWeights& weights,
              const MapInput& x, std::size_t image, std::int16_t* out, std::size_t panel_stride,
              std::uint8_t* scratch) {
  Arena arena(scratch);
  const Arrays arrays = arrays_of(shape, arena);
  const Grid grid = shape.grid();
  if (x.bits == nullptr) {
    place_pixels(x.pixels, image, grid, shape.channels, arrays.map);
    sums_of_pixels(set, shape, weights.numbers, arrays, out, panel_stride);
    return;
  }
  const std::size_t size = shape.channels / 8, elements = shape.elements();
  const products::PanelOperand panels{weights.panels, bytes_for(elements)};
  place_bits(x.bits + image * shape.in() * size, grid, size, arrays.map);
  for (std::size_t first = 0; first < shape.summed(); first += kPatches) {
    const std::size_t last = std::min(shape.summed(), first + kPatches);
    gather(arrays.map, size, {first, last, shape.summed_width(), shape.stride, grid.stride()},
           arrays.patches);
    set.products->bits_by_bits(arrays.patches, elements, panels,
                               {out + first * kPanel, false, kPanel, panel_stride},
                               {0, last - first, 0, panels_for(shape.features)});
  }
}

}  // namespace kernels
