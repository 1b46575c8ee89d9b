// Optimizer steps, fused: the gradient is read once, state and weights are updated in place.
#pragma once

#include "layout.hpp"
#include "random.hpp"

namespace kernels::optimizers {

// The gradient of `rows` rows: int32 or float32, (rows, columns), times a factor a row.
struct Gradient {
  const void* data;
  bool real;
  const float* factor;  // null stands for 1
};

// Adam (Kingma & Ba 2015, arXiv 1412.6980, algorithm 1), then clipping to [-limit, limit].
struct Adam {
  float beta1, rest1, beta2, rest2;  // rest: 1 - beta
  float epsilon;
  float step_size;   // the learning rate over 1 - beta1^t
  float correction;  // 1 / sqrt(1 - beta2^t)
  float limit;
};

// Weights and the moments m and v, (rows, columns), in this many bits each:
//   32  float32;
//   16  weights in int16, in units of 2^-15; moments in bfloat16, of which m is rounded to nearest
//       (ties away from 0);
//    8  weights as for 16; moments in 8-bit floats (portable/optimizers.hpp).
// What is rounded and not said to be rounded to nearest is rounded stochastically, for its steps can
// be smaller than half a unit: with 16 bits of state to 1/256 of a unit, with 8 to 1/65536.
struct State {
  void* weights;
  void* m;
  void* v;
  int bits;
};

// Rows [begin, end) of all; begin is a multiple of 4. columns: a multiple of 32. first_row: of the
// block that is passed, in the whole, a multiple of 4, for the random numbers.
using AdamStep = void (*)(State state, Gradient gradient, Adam adam, std::size_t columns,
                          std::size_t begin, std::size_t end, Draw draw, std::size_t first_row);

// Bop (Helwegen et al. 2019, arXiv 1906.02107, algorithm 1): m = (1 - adaptivity) m +
// adaptivity g; a weight flips where |m| > threshold and m has the weight's sign.
// bits: (rows, bytes of `columns`). m: float32, (rows, padded), padded a multiple of 32.
struct Bop {
  float adaptivity, threshold;
};

using BopStep = void (*)(std::uint8_t* bits, float* m, Gradient gradient, Bop bop,
                         std::size_t columns, std::size_t padded, std::size_t begin,
                         std::size_t end);

// RMSProp with one mean square a row, on latent weights of one byte, in units of 1/127: without a
// square root, a division or a state of a weight's own. See docs/engine.md.
//   w <- limited(round(w - rate g / sqrt(v / (1 - beta^steps))))
//   v <- beta v + (1 - beta) mean(g^2)
// v is that of the steps before, so that a weight can be updated as soon as its gradient is there;
// the first step of all, which has none, only measures. Rounding is stochastic, to 1/256 of a unit.
struct RowProp {
  float rate;
  float correction;  // sqrt(1 - beta^steps) of the steps before this one; 0 in the first
  float beta;
  std::size_t columns;  // those that count in the mean
};

// latent: (rows, padded), padded a multiple of 32. mean_square: v, (rows). Ranges as for Adam, of
// which each begins at a multiple of 16.
using RowPropStep = void (*)(void* latent, int bits, float* mean_square, Gradient gradient,
                             RowProp step, std::size_t padded, std::size_t begin, std::size_t end,
                             Draw draw, std::size_t first_row);

struct Kernels {
  AdamStep adam;
  RowPropStep rowprop;
  BopStep bop;
};

extern const Kernels scalar;
extern const Kernels avx2;
extern const Kernels avx512;
extern const Kernels neon;

}  // namespace kernels::optimizers
