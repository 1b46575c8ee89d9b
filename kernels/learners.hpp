// How a layer's binary weights learn: what is stored of them, their bits, and an update.
#pragma once

#include <memory>

#include "operations.hpp"

namespace kernels {

// What a step's updates share.
struct Rate {
  float learning_rate;
  float step_size;          // the learning rate over 1 - beta1^steps
  float correction;         // 1 / sqrt(1 - beta2^steps)
  float correction_before;  // sqrt(1 - beta2^steps) of the steps before this one
};

// The betas and epsilon of Adam, of which RowProp has the second.
struct Betas {
  double beta1, beta2;
  float epsilon;
};

// A step of Adam, after which weights are clipped to [-limit, limit].
optimizers::Adam adam_step(Betas betas, const Rate& rate, float limit);

// Binary weights, (rows, columns).
class Learner {
 public:
  virtual ~Learner() = default;

  // This step's bits to out, (rows, bytes): those of latent weights with noise.
  virtual void binarize(Team team, float noise, Draw draw, std::uint8_t* out) const = 0;

  // Learn from the gradient of `count` rows from `first` on, (count, columns padded to a multiple
  // of 32), on one thread. first is a multiple of 16.
  virtual void update(const InstructionSet& set, optimizers::Gradient gradient, std::size_t first,
                      std::size_t count, const Rate& rate, Draw draw) = 0;
};

struct Size {
  std::size_t rows, columns;

  std::size_t padded() const { return panels_for(columns) * kPanel; }
};

// Latent weights of few bits, and a mean square per row. What all of these point to stays the
// caller's.
std::unique_ptr<Learner> make_rowprop(Size size, optimizers::LatentWeights latent,
                                      float* mean_square, float beta);

// Latent weights and two moments per weight in float32.
std::unique_ptr<Learner> make_adam(Size size, optimizers::State state, Betas betas);

// Bits, and the filtered gradient in float32. The adaptivity is that per unit of the learning rate,
// with which it falls.
std::unique_ptr<Learner> make_bop(Size size, std::uint8_t* bits, float* m, optimizers::Bop bop);

}  // namespace kernels
