// A binary network in training: a step of algorithm 1 of Courbariaux et al. 2016 ("Binarized Neural
// Networks", arXiv 1602.02830), forward, backward and update.
//
// From the forward to the backward pass a layer keeps its output's bits and, of each feature, the
// batch's statistics. Integer sums s are computed block by block, a block being some of the layer's
// features, and again for the backward pass unless they are still there. The first layer's float32
// gradients of s exist for a panel per thread. A tile of the weight gradient is applied by the thread that
// has computed it, while it is in its cache: no whole gradient exists.
#pragma once

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <vector>

#include "aligned.hpp"
#include "learners.hpp"

namespace kernels {

// A layer's weights and normalization, which its owner keeps.
struct LayerState {
  std::size_t inputs, outputs;
  Learner* learner;
  float* running;  // (panels, 2, 32): running mean and unbiased variance of s
};

// Gain and bias of all layers, one after the other: (panels of all, 2, 32) each.
struct NormalizationState {
  float* parameters;
  float* m;
  float* v;
};

struct TrainerOptions {
  int max_gradient;  // the largest absolute value that gradients are rounded to; 0 if exact
  bool stochastic;   // activations
  float label_smoothing;
  double epsilon;   // of normalization
  float momentum;   // of running statistics
  Betas betas;      // of the normalization's Adam
  std::uint32_t seed;
  int threads;
};

// A batch and what its step needs besides. Images are nibbles.
struct Step {
  IntRows images;
  const std::uint8_t* labels;
  std::size_t batch;
  Rate rate;
  float weight_noise;
  std::uint32_t number;
};

enum class Phase : std::size_t { kForward, kBackward, kNormalization, kOptimizer };
inline constexpr std::size_t kPhases = 4;

// The bytes that a step holds, by kind.
struct StepBytes {
  std::size_t weights, gradients, saved, temporaries;
};

class Trainer {
 public:
  Trainer(const std::vector<LayerState>& layers, NormalizationState normalization,
          const TrainerOptions& options);

  void step(const InstructionSet& set, const Step& step);

  // Of all steps so far.
  const std::array<double, kPhases>& seconds() const { return seconds_; }
  StepBytes bytes() const;

 private:
  // Memory that grows to what was asked for, and loses its content when it does.
  class Buffer {
   public:
    template <typename T>
    T* get(std::size_t count) {
      return static_cast<T*>(bytes(count * sizeof(T)));
    }
    // What is there.
    template <typename T>
    T* content() const {
      return reinterpret_cast<T*>(memory_->get());
    }
    std::size_t size() const { return size_; }

   private:
    void* bytes(std::size_t size);

    std::optional<AlignedBytes> memory_;
    std::size_t size_ = 0;
  };

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

  struct Context;

  void forward(const Context& context, Layer& layer, const Operand& x);
  Incoming forward_to_loss(const Context& context, Layer& layer, const Operand& x);
  void binarize_weights(const Context& context, Layer& layer);
  void normalize(const Context& context, Layer& layer, Panels block, Sums sums);
  void update_running(const Context& context, Layer& layer);
  std::vector<Panels> blocks_of(const Context& context, const Layer& layer) const;
  Sums sums_of(const Context& context, Layer& layer, const Operand& x, Panels block);

  Incoming backward(const Context& context, Layer& layer, Operand& x, const Incoming& incoming);
  normalization::Gradient gradient_of(const Context& context, const Incoming& incoming,
                                      Panels part);
  Columns columns_of(const Context& context, const Layer& layer, Panels group);
  void put_columns(const Context& context, const Layer& layer, const Columns& columns,
                   std::size_t panel, const float* g) const;
  void learn(const Context& context, Layer& layer, Operand& x, const Columns& columns);
  void weight_gradient(const Context& context, const Operand& x, const Columns& columns,
                       std::size_t row, products::Range range, std::int32_t* out) const;
  Incoming input_gradient(const Context& context, Layer& layer, const float* g);
  void update_normalization(const Context& context);

  void enter(std::optional<Phase> phase);

  std::vector<Layer> layers_;
  NormalizationState normalization_;
  TrainerOptions options_;
  std::vector<float> normalization_gradient_;  // like the parameters
  Buffer gradient_, columns_, column_factors_, tiles_, rows_, row_factors_, input_gradient_,
      transposed_, weights_, split_;
  std::array<double, kPhases> seconds_{};
  std::optional<Phase> phase_;
  std::chrono::steady_clock::time_point since_;
};

}  // namespace kernels
