#include "network.hpp"

#include <algorithm>
#include <limits>

#include "parallel.hpp"

namespace kernels {
namespace {

// Images that go through all layers together: their sums stay in the second-level cache.
constexpr std::size_t kTile = 64;

std::size_t bytes_of(bool wide) { return wide ? sizeof(std::int32_t) : sizeof(std::int16_t); }

// By the scalar kernel, whatever the instruction set: this happens once.
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

}  // namespace

Network::Network(const InstructionSet& set, const std::vector<LayerBits>& layers,
                 std::size_t passes, const std::vector<std::vector<std::int32_t>>& below,
                 ScoreScale last)
    : set_(&set), passes_(passes), last_(std::move(last)) {
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const LayerBits& bits = layers[i];
    const std::size_t panels = panels_for(bits.outputs);
    AlignedBytes weights = in_panels(bits, panels);
    if (i == 0) weights = in_groups(*set.pixels, weights, bits.inputs, panels);
    std::vector<std::int32_t> limits;
    if (i < below.size()) {
      // Features past the last are never 1.
      limits.resize(passes * panels * kPanel, std::numeric_limits<std::int32_t>::max());
      for (std::size_t pass = 0; pass < passes; ++pass) {
        std::copy_n(below[i].begin() + static_cast<std::ptrdiff_t>(pass * bits.outputs),
                    bits.outputs,
                    limits.begin() + static_cast<std::ptrdiff_t>(pass * panels * kPanel));
      }
    }
    const std::size_t narrow = i == 0 ? products::kMaxIntsNarrow : products::kMaxBitsNarrow;
    layers_.push_back({bits.inputs, bits.outputs, panels, bits.inputs > narrow,
                       std::move(weights), std::move(limits)});
  }
}

std::size_t Network::bytes_of_sums(std::size_t layer) const {
  return layers_[layer].panels * kPanel * bytes_of(layers_[layer].wide);
}

void Network::scores(IntRows images, std::size_t count, float* out, int threads) const {
  std::size_t work = 0;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    work += (i == 0 ? 1 : passes_) * count * layers_[i].inputs * layers_[i].outputs;
  }
  const int team = worth_starting(work, kBitsMultiplied, threads);
  for_each_part(count, 1, team, [&](std::size_t begin, std::size_t end) {
    tile(images, begin, end, out);
  });
}

void Network::tile(IntRows images, std::size_t begin, std::size_t end, float* out) const {
  const std::size_t max = std::min(kTile, end - begin);
  std::size_t sums_bytes = 0, bits_bytes = 0;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    if (i > 0) sums_bytes = std::max(sums_bytes, bytes_of_sums(i));
    bits_bytes = std::max(bits_bytes, bytes_for(layers_[i].outputs));
  }
  const AlignedBytes first_sums(max * bytes_of_sums(0)), sums(max * sums_bytes);
  const AlignedBytes bits(max * bits_bytes);
  const pixels::Grouping grouping = pixels::grouping_for(*set_->pixels, layers_.front().panels);
  const std::size_t groups = pixels::groups_for(grouping, bytes_for(layers_.front().inputs));
  for (std::size_t first = begin; first < end; first += max) {
    const std::size_t rows = std::min(max, end - first);
    IntRows part = images;
    part.data += first * images.stride;
    const Layer& pixels = layers_.front();
    // Panels first. The passes differ in what follows these sums.
    set_->pixels->pixels_by_bits(part, pixels.inputs, {pixels.weights.get(), grouping, groups},
                                 {first_sums.get(), pixels.wide, kPanel, rows * kPanel},
                                 {0, rows, 0, pixels.panels});
    for (std::size_t pass = 0; pass < passes_; ++pass) {
      const std::uint8_t* from = first_sums.get();
      for (std::size_t i = 0; i + 1 < layers_.size(); ++i) {
        binarize(i, pass, from, rows, bits.get());
        const Layer& layer = layers_[i + 1];
        set_->products->bits_by_bits(bits.get(), layer.inputs,
                                     {layer.weights.get(), bytes_for(layer.inputs)},
                                     {sums.get(), layer.wide, kPanel, rows * kPanel},
                                     {0, rows, 0, layer.panels});
        from = sums.get();
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
