#include "network.hpp"

#include <algorithm>
#include <limits>

#include "parallel.hpp"

namespace kernels {
namespace {

// Images that go through all layers together: their sums stay in the second-level cache.
constexpr std::size_t kTile = 64;

std::size_t bytes_of(bool wide) { return wide ? sizeof(std::int32_t) : sizeof(std::int16_t); }

// The chosen instruction set does not matter here: this happens once.
AlignedBytes in_panels(const LayerBits& bits, std::size_t panels) {
  const std::size_t bytes = bytes_for(bits.inputs);
  AlignedBytes out(panels * bytes * kPanel);
  for (std::size_t p = 0; p < panels; ++p) {
    packing::scalar.interleave_panel(bits.rows + p * kPanel * bytes,
                                     rows_in_panel(p, bits.outputs), bytes,
                                     out.get() + p * bytes * kPanel);
  }
  return out;
}

AlignedBytes in_groups(const AlignedBytes& weights, std::size_t inputs, std::size_t panels) {
  const std::size_t bytes = bytes_for(inputs);
  AlignedBytes out(pixels::GroupOperand::size(panels, 2 * bytes));
  for (std::size_t block = 0; block < pixels::blocks_for(panels); ++block) {
    pixels::split_groups({weights.get(), bytes}, panels, block, out.get());
  }
  return out;
}

}  // namespace

Network::Network(const std::vector<LayerBits>& layers,
                 std::vector<std::vector<std::int32_t>> below, ScoreScale last)
    : last_(std::move(last)) {
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const LayerBits& bits = layers[i];
    const std::size_t panels = panels_for(bits.outputs);
    AlignedBytes weights = in_panels(bits, panels);
    if (i == 0) weights = in_groups(weights, bits.inputs, panels);
    std::vector<std::int32_t> limits;
    if (i < below.size()) limits = std::move(below[i]);
    // Features past the last are never 1.
    limits.resize(panels * kPanel, std::numeric_limits<std::int32_t>::max());
    const std::size_t narrow = i == 0 ? products::kMostIntsNarrow : products::kMostBitsNarrow;
    layers_.push_back({bits.inputs, bits.outputs, panels, bits.inputs > narrow,
                       std::move(weights), std::move(limits)});
  }
}

std::size_t Network::bytes_of_sums() const {
  std::size_t most = 0;
  for (const Layer& layer : layers_) {
    most = std::max(most, layer.panels * kPanel * bytes_of(layer.wide));
  }
  return most;
}

std::size_t Network::bytes_of_bits() const {
  std::size_t most = 0;
  for (const Layer& layer : layers_) most = std::max(most, bytes_for(layer.outputs));
  return most;
}

void Network::scores(const InstructionSet& set, IntRows images, std::size_t count, float* out,
                     int threads) const {
  std::size_t work = 0;
  for (const Layer& layer : layers_) work += count * layer.inputs * layer.outputs;
  const int team = worth_starting(work, kBitsMultiplied, threads);
  for_each_part(count, 1, team, [&](std::size_t begin, std::size_t end) {
    tile(set, images, begin, end, out);
  });
}

void Network::tile(const InstructionSet& set, IntRows images, std::size_t begin, std::size_t end,
                   float* out) const {
  const std::size_t most = std::min(kTile, end - begin);
  const AlignedBytes sums(most * bytes_of_sums());
  const std::size_t bits_bytes = most * bytes_of_bits();
  AlignedBytes bits(bits_bytes), next(bits_bytes);
  for (std::size_t first = begin; first < end; first += most) {
    const std::size_t rows = std::min(most, end - first);
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      const Layer& layer = layers_[i];
      // Panels first.
      const Output output{sums.get(), layer.wide, kPanel, rows * kPanel};
      const products::Range range{0, rows, 0, layer.panels};
      const std::size_t bytes = bytes_for(layer.inputs);
      if (i == 0) {
        IntRows part = images;
        part.data += first * images.stride;
        set.pixels->pixels_by_bits(part, layer.inputs, {layer.weights.get(), 2 * bytes}, output,
                                   range);
      } else {
        set.products->bits_by_bits(bits.get(), layer.inputs, {layer.weights.get(), bytes}, output,
                                   range);
      }
      if (i + 1 == layers_.size()) break;
      const std::size_t stride = bytes_for(layer.outputs);
      for (std::size_t p = 0; p < layer.panels; ++p) {
        const std::size_t at = p * kPanel / 8;
        set.thresholds->compare(sums.get() + p * rows * kPanel * bytes_of(layer.wide), layer.wide,
                                layer.below.data() + p * kPanel, rows, next.get() + at,
                                std::min(kPanel / 8, stride - at), stride);
      }
      std::swap(bits, next);
    }
    const Layer& layer = layers_.back();
    for (std::size_t m = 0; m < rows; ++m) {
      for (std::size_t n = 0; n < layer.outputs; ++n) {
        const std::size_t at = (n / kPanel * rows + m) * kPanel + n % kPanel;
        const auto sum = static_cast<float>(
            layer.wide ? reinterpret_cast<const std::int32_t*>(sums.get())[at]
                       : reinterpret_cast<const std::int16_t*>(sums.get())[at]);
        out[(first + m) * layer.outputs + n] = sum * last_.scale[n] + last_.shift[n];
      }
    }
  }
}

}  // namespace kernels
