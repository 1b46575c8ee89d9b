// A binary network in training: a step of algorithm 1 of Courbariaux et al. 2016 ("Binarized Neural
// Networks", arXiv 1602.02830), forward, backward and update.
//
// From the forward to the backward pass a layer keeps its output's bits and, of each feature, the
// batch's statistics. Integer sums s are computed block by block, a block being some of the layer's
// features, and again for the backward pass unless they are still there. The first layer's float32
// gradients of s exist for a panel per thread. The weight gradient exists for a tile of features,
// which learn from it while it is in a second-level cache.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "convolution_layer.hpp"

namespace kernels {

// A layer's weights and normalization, which its owner keeps.
struct LayerState {
  std::size_t inputs, outputs;
  Learner* learner;
  float* running;  // (panels, 2, 32): running mean and unbiased variance of s
};

// The same of a convolution, with rows of running statistics for its features.
struct ConvolutionState {
  convolution::Shape shape;
  Learner* learner;
  float* running;
};

// Gain and bias of all layers, convolutions first, one after the other: (panels of all, 2, 32) each.
struct NormalizationState {
  float* parameters;
  float* m;
  float* v;
};

// The bytes that a step holds, by kind.
struct StepBytes {
  std::size_t weights, gradients, saved, temporaries;
};

class Trainer {
 public:
  // convolutions: before the layers, the first of which reads the last map. There may be none.
  Trainer(const std::vector<ConvolutionState>& convolutions, const std::vector<LayerState>& layers,
          NormalizationState normalization, const TrainerOptions& options);

  void step(const InstructionSet& set, const Step& step);

  // Of all steps so far.
  const std::array<double, kPhases>& seconds() const { return clock_.seconds(); }
  StepBytes bytes() const;

 private:
  // Panels [first, last) of a layer's features.
  struct Panels {
    std::size_t first, last;
    std::size_t size() const { return last - first; }
    bool operator==(const Panels&) const = default;
  };

  struct Layer {
    std::size_t index;
    std::size_t inputs, outputs, panels;
    bool last;
    Learner* learner;
    float* parameters;
    float* gradient;  // of the parameters
    float* running;
    std::vector<float> batch;  // (panels, 5, 32)
    Buffer rows, weight_panels, bits, sums;
    std::optional<Panels> held;  // the block whose sums are there
  };

  // What a layer reads: pixels, or the bits of the layer before.
  struct Operand {
    IntRows pixels;
    const std::uint8_t* bits;  // null for pixels
    std::size_t columns;
    const std::uint8_t* transposed = nullptr;  // of bits, once it was needed
  };

  // The gradient of a layer's output: float32 panels as they are, or a product that is computed by
  // panels from what was rounded.
  struct Incoming {
    const float* ready;
    const std::int8_t* rounded;
    const float* factors;
    const std::uint8_t* weights;
    std::size_t outputs;  // of the layer behind
  };

  // The gradient of a group of features as the weight gradient reads it: a row per feature.
  struct Columns {
    std::size_t first, count, stride;
    std::int8_t* rounded;
    float* exact;
    float* factors;
  };

  void forward(const StepContext& context, Layer& layer, const Operand& x);
  Incoming forward_to_loss(const StepContext& context, Layer& layer, const Operand& x);
  void binarize_weights(const StepContext& context, Layer& layer);
  void normalize(const StepContext& context, Layer& layer, Panels block, Sums sums);
  void update_running(const StepContext& context, Layer& layer);
  std::vector<Panels> blocks_of(const StepContext& context, const Layer& layer) const;
  Sums sums_of(const StepContext& context, Layer& layer, const Operand& x, Panels block);

  Incoming backward(const StepContext& context, Layer& layer, Operand& x, const Incoming& incoming);
  normalization::Gradient gradient_of(const StepContext& context, const Incoming& incoming,
                                      Panels part);
  Columns columns_of(const StepContext& context, const Layer& layer, Panels group);
  void put_columns(const StepContext& context, const Layer& layer, const Columns& columns,
                   std::size_t panel, const float* g) const;
  void learn(const StepContext& context, Layer& layer, Operand& x, const Columns& columns);
  optimizers::Gradient::Type gradient_type(const StepContext& context, const Operand& x,
                                           const Columns& columns) const;
  void weight_gradient(const StepContext& context, const Operand& x, const Columns& columns,
                       std::size_t row, products::Range range, Output tile) const;
  Incoming input_gradient(const StepContext& context, Layer& layer, const float* g);
  void update_normalization(const StepContext& context);

  // What goes on to the convolutions from the layer that reads their map.
  MapGradient map_gradient(const StepContext& context, const Incoming& incoming);
  bool reads_pixels(const Layer& layer) const { return layer.index == 0; }

  void enter(std::optional<Phase> phase) { clock_.enter(phase); }

  std::vector<ConvolutionLayer> convolutions_;
  ConvolutionMemory memory_;  // of the convolutions
  std::vector<Layer> layers_;
  NormalizationState normalization_;
  TrainerOptions options_;
  std::vector<float> normalization_gradient_;  // like the parameters
  Buffer gradient_, columns_, column_factors_, tiles_, rows_, row_factors_, input_gradient_,
      transposed_, weights_, split_;
  PhaseClock clock_;
};

}  // namespace kernels
