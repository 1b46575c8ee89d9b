// A trained network: bits from the first layer to the last, thresholds between layers, and no
// floating point but the last layer's scores.
#pragma once

#include <vector>

#include "aligned.hpp"
#include "map_sums.hpp"

namespace kernels {

// Rows of bits, (outputs, ceil(inputs / 8)).
struct LayerBits {
  const std::uint8_t* rows;
  std::size_t inputs, outputs;
};

// A convolution, before all layers. Its rows of bits are (features, ceil(elements / 8)).
struct ConvolutionBits {
  convolution::Shape shape;
  const std::uint8_t* rows;
  std::vector<std::int32_t> below;  // thresholds less 1, (passes, features)
  // Bits of features of which the smallest of four sums counts where it pools, not the largest.
  std::vector<std::uint8_t> smallest;
};

// scores = scale (x Wb^T) + shift, of each class.
struct ScoreScale {
  std::vector<float> scale, shift;
};

class Network {
 public:
  // set: what computes the scores. convolutions: may be none. layers: at least one. passes: whose mean score is the
  // prediction. below: of each layer but the last, its thresholds less 1, (passes, outputs). What
  // the layers point to is copied.
  Network(const InstructionSet& set, const std::vector<ConvolutionBits>& convolutions,
          const std::vector<LayerBits>& layers, std::size_t passes,
          const std::vector<std::vector<std::int32_t>>& below, ScoreScale last);
  Network(Network&&) = default;

  // Write the scores, (count, classes), of images, which have no index. Threads divide them, as
  // far as there is work for each.
  void scores(IntRows images, std::size_t count, float* out, int threads) const;

  std::size_t pixels() const {
    if (convolutions_.empty()) return layers_.front().inputs;
    const convolution::Shape& first = convolutions_.front().shape;
    return first.in() * first.channels;
  }
  std::size_t classes() const { return layers_.back().outputs; }

 private:
  struct Layer {
    std::size_t inputs, outputs, panels;
    bool wide;              // its sums need 32 bits
    AlignedBytes weights;   // of the first layer in groups, of the others in panels
    std::vector<std::int32_t> below;  // (passes, whole panels)
  };

  struct Convolution {
    convolution::Shape shape;
    AlignedBytes weights;             // of the first as numbers, of the others in panels
    std::vector<std::int32_t> below;  // (passes, whole panels)
    std::vector<std::uint8_t> smallest;
  };

  // Memory for the maps of an image.
  struct Maps;

  // Write an image's last map to bits, one a pass, `pass_stride` apart.
  void convolve(IntRows images, std::size_t image, const Maps& maps, std::uint8_t* bits,
                std::size_t pass_stride) const;
  // Bits of a map from its sums, pooled.
  void binarize_map(const Convolution& layer, std::size_t pass, const std::int16_t* sums,
                    std::uint8_t* summed, std::uint8_t* out) const;
  void tile(IntRows images, std::size_t begin, std::size_t end, float* out) const;
  // Bits of a layer's features, from its sums, (panels, rows, kPanel).
  void binarize(std::size_t index, std::size_t pass, const std::uint8_t* sums, std::size_t rows,
                std::uint8_t* bits) const;
  // The share of a pass in the scores of so many rows.
  void add_scores(std::size_t pass, const std::uint8_t* sums, std::size_t rows, float* out) const;
  std::size_t bytes_of_sums(std::size_t layer) const;

  const InstructionSet* set_;
  std::vector<Convolution> convolutions_;
  std::vector<Layer> layers_;
  std::size_t passes_;
  ScoreScale last_;
};

}  // namespace kernels
