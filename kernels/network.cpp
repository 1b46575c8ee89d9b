#include "network.hpp"

#include <algorithm>
#include <limits>
#include <optional>

#include "parallel.hpp"
#include "patches.hpp"

namespace kernels {
namespace {

// Images that go through all layers together: their sums stay in the second-level cache.
constexpr std::size_t kTile = 64;

std::size_t bytes_of(bool wide) { return wide ? sizeof(std::int32_t) : sizeof(std::int16_t); }

// By the scalar kernel, whatever the instruction set: this happens once.
AlignedBytes in_panels(const LayerBits& bits) {
  const std::size_t bytes = bytes_for(bits.inputs), panels = panels_for(bits.outputs);
  AlignedBytes out(panels * bytes * kPanel);
  for (std::size_t p = 0; p < panels; ++p) {
    packing::scalar.interleave_panel(bits.rows + p * kPanel * bytes,
                                     rows_in_panel(p, bits.outputs), bytes,
                                     out.get() + p * bytes * kPanel);
  }
  return out;
}

AlignedBytes in_groups(const pixels::Kernels& kernels, const AlignedBytes& weights,
                       std::size_t inputs, std::size_t panels) {
  const std::size_t bytes = bytes_for(inputs);
  const pixels::Grouping grouping = pixels::grouping_for(kernels, panels);
  AlignedBytes out(pixels::group_bytes(panels, pixels::groups_for(grouping, bytes)));
  for (std::size_t block = 0; block < pixels::blocks_for(panels); ++block) {
    pixels::split_groups(grouping, {weights.get(), bytes}, panels, block, out.get());
  }
  return out;
}

// Limits of whole panels, (passes, panels, 32), from (passes, outputs). Features past the last are
// never 1.
std::vector<std::int32_t> in_whole_panels(const std::vector<std::int32_t>& below,
                                          std::size_t passes, std::size_t outputs) {
  std::vector<std::int32_t> limits(passes * padded(outputs),
                                   std::numeric_limits<std::int32_t>::max());
  for (std::size_t pass = 0; pass < passes; ++pass) {
    std::copy_n(below.begin() + static_cast<std::ptrdiff_t>(pass * outputs), outputs,
                limits.begin() + static_cast<std::ptrdiff_t>(pass * padded(outputs)));
  }
  return limits;
}

}  // namespace

struct Network::Maps {
  std::int16_t *first, *sums;
  std::uint8_t *scratch, *summed, *bits[2];

  Maps(const std::vector<Convolution>& convolutions, Arena& arena) {
    std::size_t of_scratch = 0, of_sums = 0, of_summed = 0, of_bits = 0;
    for (const Convolution& each : convolutions) {
      const convolution::Shape& shape = each.shape;
      of_scratch = std::max(of_scratch, map_sums_scratch(shape));
      of_sums = std::max(of_sums, shape.summed() * padded(shape.features));
      of_summed = std::max(of_summed, shape.summed() * bytes_for(shape.features));
      of_bits = std::max(of_bits, shape.out() * bytes_for(shape.features));
    }
    const convolution::Shape& shape = convolutions.front().shape;
    first = arena.take<std::int16_t>(shape.summed() * padded(shape.features));
    sums = arena.take<std::int16_t>(of_sums);
    scratch = arena.take<std::uint8_t>(of_scratch);
    summed = arena.take<std::uint8_t>(of_summed);
    for (auto& map : bits) map = arena.take<std::uint8_t>(of_bits);
  }
};

Network::Network(const InstructionSet& set, const std::vector<ConvolutionBits>& convolutions,
                 const std::vector<LayerBits>& layers, std::size_t passes,
                 const std::vector<std::vector<std::int32_t>>& below, ScoreScale last)
    : set_(&set), passes_(passes), last_(std::move(last)) {
  for (const ConvolutionBits& each : convolutions) {
    const convolution::Shape& shape = each.shape;
    const bool of_pixels = convolutions_.empty();
    AlignedBytes weights =
        of_pixels ? AlignedBytes(padded(shape.features) * shape.elements() * sizeof(std::int16_t))
                  : in_panels({each.rows, shape.elements(), shape.features});
    if (of_pixels) {
      write_numbers(each.rows, shape, reinterpret_cast<std::int16_t*>(weights.get()));
    }
    convolutions_.push_back({shape, std::move(weights),
                             in_whole_panels(each.below, passes, shape.features), each.smallest});
  }
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const LayerBits& bits = layers[i];
    const std::size_t panels = panels_for(bits.outputs);
    AlignedBytes weights = in_panels(bits);
    const bool of_pixels = i == 0 && convolutions.empty();
    if (of_pixels) weights = in_groups(*set.pixels, weights, bits.inputs, panels);
    std::vector<std::int32_t> limits;
    if (i < below.size()) limits = in_whole_panels(below[i], passes, bits.outputs);
    const std::size_t narrow = of_pixels ? products::kMaxIntsNarrow : products::kMaxBitsNarrow;
    layers_.push_back({bits.inputs, bits.outputs, panels, bits.inputs > narrow,
                       std::move(weights), std::move(limits)});
  }
}

std::size_t Network::bytes_of_sums(std::size_t layer) const {
  return layers_[layer].panels * kPanel * bytes_of(layers_[layer].wide);
}

void Network::scores(IntRows images, std::size_t count, float* out, int threads) const {
  std::size_t work = 0;
  for (const Convolution& each : convolutions_) {
    work += passes_ * count * each.shape.summed() * each.shape.elements() * each.shape.features;
  }
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    work += (i == 0 ? 1 : passes_) * count * layers_[i].inputs * layers_[i].outputs;
  }
  const int team = worth_starting(work, kBitsMultiplied, threads);
  for_each_part(count, 1, team, [&](std::size_t begin, std::size_t end) {
    tile(images, begin, end, out);
  });
}

void Network::binarize_map(const Convolution& layer, std::size_t pass, const std::int16_t* sums,
                           std::uint8_t* summed, std::uint8_t* out) const {
  const convolution::Shape& shape = layer.shape;
  const std::size_t bytes = bytes_for(shape.features), panels = panels_for(shape.features);
  const std::int32_t* below = layer.below.data() + pass * panels * kPanel;
  std::uint8_t* bits = shape.pool ? summed : out;
  for (std::size_t p = 0; p < panels; ++p) {
    const std::size_t at = p * kPanel / 8;
    set_->thresholds->compare(sums + p * shape.summed() * kPanel, false, below + p * kPanel,
                              shape.summed(), bits + at, std::min(kPanel / 8, bytes - at), bytes);
  }
  if (!shape.pool) return;
  // The largest sum reaches a threshold where any does. Of a feature whose weights were negated,
  // the smallest counts: it does where all do.
  const std::size_t row = shape.summed_width() * bytes;
  for (std::size_t y = 0; y < shape.out_height(); ++y) {
    for (std::size_t x = 0; x < shape.out_width(); ++x, out += bytes) {
      const std::uint8_t* from = summed + 2 * y * row + 2 * x * bytes;
      for (std::size_t b = 0; b < bytes; ++b) {
        const std::uint8_t flip = layer.smallest[b];
        const int any = (from[b] ^ flip) | (from[b + bytes] ^ flip) | (from[b + row] ^ flip) |
                        (from[b + row + bytes] ^ flip);
        out[b] = static_cast<std::uint8_t>(any ^ flip);
      }
    }
  }
}

void Network::convolve(IntRows images, std::size_t image, const Maps& maps, std::uint8_t* bits,
                       std::size_t pass_stride) const {
  // The passes differ in what follows these sums.
  const Convolution& front = convolutions_.front();
  map_sums(*set_, front.shape, {nullptr, reinterpret_cast<std::int16_t*>(front.weights.get())},
           {images, nullptr}, image, maps.first, front.shape.summed() * kPanel, maps.scratch);
  for (std::size_t pass = 0; pass < passes_; ++pass) {
    const std::int16_t* sums = maps.first;
    for (std::size_t i = 0; i < convolutions_.size(); ++i) {
      const bool is_last = i + 1 == convolutions_.size();
      std::uint8_t* map = is_last ? bits + pass * pass_stride : maps.bits[i % 2];
      binarize_map(convolutions_[i], pass, sums, maps.summed, map);
      if (is_last) break;
      const Convolution& next = convolutions_[i + 1];
      map_sums(*set_, next.shape, {next.weights.get(), nullptr}, {images, map}, 0, maps.sums,
               next.shape.summed() * kPanel, maps.scratch);
      sums = maps.sums;
    }
  }
}

void Network::tile(IntRows images, std::size_t begin, std::size_t end, float* out) const {
  const std::size_t max = std::min(kTile, end - begin);
  std::size_t sums_bytes = 0, bits_bytes = 0;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    if (i > 0 || !convolutions_.empty()) sums_bytes = std::max(sums_bytes, bytes_of_sums(i));
    bits_bytes = std::max(bits_bytes, bytes_for(layers_[i].outputs));
  }
  const Layer& front = layers_.front();
  const bool of_maps = !convolutions_.empty();
  const std::size_t map_bytes = bytes_for(front.inputs);
  // The sums of pixels, or every pass's maps: what the passes begin with.
  const AlignedBytes begins(max * (of_maps ? passes_ * map_bytes : bytes_of_sums(0)));
  const AlignedBytes sums(max * sums_bytes), bits(max * bits_bytes);
  const auto bits_by_bits = [&](const Layer& layer, const std::uint8_t* x, std::size_t rows) {
    set_->products->bits_by_bits(x, layer.inputs, {layer.weights.get(), bytes_for(layer.inputs)},
                                 {sums.get(), layer.wide, kPanel, rows * kPanel},
                                 {0, rows, 0, layer.panels});
    return static_cast<const std::uint8_t*>(sums.get());
  };
  std::optional<AlignedBytes> of_map_memory;
  std::optional<Maps> maps;
  if (of_maps) {
    Arena needed(nullptr);
    Maps(convolutions_, needed);
    of_map_memory.emplace(needed.size());
    Arena arena(of_map_memory->get());
    maps.emplace(convolutions_, arena);
  }
  const pixels::Grouping grouping = pixels::grouping_for(*set_->pixels, front.panels);
  const std::size_t groups = pixels::groups_for(grouping, map_bytes);
  for (std::size_t first = begin; first < end; first += max) {
    const std::size_t rows = std::min(max, end - first);
    IntRows part = images;
    part.data += first * images.stride;
    if (of_maps) {
      for (std::size_t m = 0; m < rows; ++m) {
        convolve(part, m, *maps, begins.get() + m * map_bytes, max * map_bytes);
      }
    } else {
      // Panels first. The passes differ in what follows these sums.
      set_->pixels->pixels_by_bits(part, front.inputs, {front.weights.get(), grouping, groups},
                                   {begins.get(), front.wide, kPanel, rows * kPanel},
                                   {0, rows, 0, front.panels});
    }
    for (std::size_t pass = 0; pass < passes_; ++pass) {
      const std::uint8_t* from =
          of_maps ? bits_by_bits(front, begins.get() + pass * max * map_bytes, rows)
                  : begins.get();
      for (std::size_t i = 0; i + 1 < layers_.size(); ++i) {
        binarize(i, pass, from, rows, bits.get());
        from = bits_by_bits(layers_[i + 1], bits.get(), rows);
      }
      add_scores(pass, from, rows, out + first * classes());
    }
  }
}

void Network::binarize(std::size_t index, std::size_t pass, const std::uint8_t* sums,
                       std::size_t rows, std::uint8_t* bits) const {
  const Layer& layer = layers_[index];
  const std::size_t stride = bytes_for(layer.outputs);
  const std::int32_t* below = layer.below.data() + pass * layer.panels * kPanel;
  for (std::size_t p = 0; p < layer.panels; ++p) {
    const std::size_t at = p * kPanel / 8;
    set_->thresholds->compare(sums + p * rows * kPanel * bytes_of(layer.wide), layer.wide,
                            below + p * kPanel, rows, bits + at,
                            std::min(kPanel / 8, stride - at), stride);
  }
}

void Network::add_scores(std::size_t pass, const std::uint8_t* sums, std::size_t rows,
                         float* out) const {
  const Layer& layer = layers_.back();
  const auto passes = static_cast<float>(passes_);
  for (std::size_t m = 0; m < rows; ++m) {
    for (std::size_t n = 0; n < layer.outputs; ++n) {
      const std::size_t at = (n / kPanel * rows + m) * kPanel + n % kPanel;
      const auto sum =
          static_cast<float>(layer.wide ? reinterpret_cast<const std::int32_t*>(sums)[at]
                                        : reinterpret_cast<const std::int16_t*>(sums)[at]);
      // Divided before they are added, so that no sum of finite scores overflows.
      const float score = (sum * last_.scale[n] + last_.shift[n]) / passes;
      float& total = out[m * layer.outputs + n];
      total = pass == 0 ? score : total + score;
    }
  }
}

}  // namespace kernels
