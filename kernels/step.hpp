// What the layers of a network in training share: a step's batch, memory, random numbers, time.
#pragma once

#include <array>
#include <chrono>
#include <optional>

#include "aligned.hpp"
#include "learners.hpp"

namespace kernels {

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

// The seconds of each phase.
class PhaseClock {
 public:
  using Seconds = std::chrono::duration<double>;

  void enter(std::optional<Phase> phase) {
    const auto now = std::chrono::steady_clock::now();
    if (phase_) {
      const Seconds passed = now - since_;
      seconds_[static_cast<std::size_t>(*phase_)] += passed.count();
    }
    phase_ = phase;
    since_ = now;
  }

  // Count so many seconds of one phase as another's.
  void move(double seconds, Phase from, Phase to) {
    seconds_[static_cast<std::size_t>(from)] -= seconds;
    seconds_[static_cast<std::size_t>(to)] += seconds;
  }

  const std::array<double, kPhases>& seconds() const { return seconds_; }

 private:
  std::array<double, kPhases> seconds_{};
  std::optional<Phase> phase_;
  std::chrono::steady_clock::time_point since_;
};

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

// What a layer draws numbers for; those of different purposes are independent.
enum Purpose : std::uint32_t { kActivations, kWeights, kColumns, kRows, kUpdate, kPurposes };

struct StepContext {
  const InstructionSet& set;
  const Step& step;
  const TrainerOptions& options;
  PhaseClock& clock;

  Team team() const { return {set, options.threads}; }
  std::size_t batch() const { return step.batch; }
  Draw draw(std::size_t layer, Purpose purpose) const {
    return {options.seed, static_cast<std::uint32_t>(layer) * kPurposes + purpose, step.number};
  }
};

// The largest gradient of a sum that a layer hands back: of an image with a larger one, all are
// scaled down to that. Batch normalization multiplies gradients by up to 316 times the gain per
// layer, in float32. A network that learns stays far below the limit, and above it the squares of
// the next gradients are still finite.
inline constexpr float kMaxSumGradient = 1024;
// Optimizers draw random numbers for so many rows together, at most.
inline constexpr std::size_t kRowUnit = 16;

// Move running means and unbiased variances, (panels, 2, 32), towards a batch of so many rows.
void update_running(const TrainerOptions& options, std::size_t rows, std::size_t panels,
                    const float* batch, float* running);

}  // namespace kernels
