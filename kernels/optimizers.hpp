// Optimizer steps, fused: the gradient is read once, state and weights are updated in place.
#pragma once

#include "layout.hpp"
#include "random.hpp"

namespace kernels::optimizers {

// The gradient of `rows` rows, (rows, columns), times a factor a row.
struct Gradient {
  enum class Type { real, wide, narrow };  // float32, int32, int16

  const void* data;
  Type type;
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

// Weights and the moments m and v, (rows, columns), columns a multiple of 32.
struct State {
  float* weights;
  float* m;
  float* v;
};

// Rows [begin, end) of all.
using AdamStep = void (*)(State state, Gradient gradient, Adam adam, std::size_t columns,
                          std::size_t begin, std::size_t end);

// Bop (Helwegen et al. 2019, arXiv 1906.02107, algorithm 1): m = (1 - adaptivity) m +
// adaptivity g; a weight flips where |m| > threshold and m has the weight's sign.
// bits: (rows, bytes of `columns`). m: float32, (rows, padded), padded a multiple of 32.
struct Bop {
  float adaptivity, threshold;
};

using BopStep = void (*)(std::uint8_t* bits, float* m, Gradient gradient, Bop bop,
                         std::size_t columns, std::size_t padded, std::size_t begin,
                         std::size_t end);

// RowProp: RMSProp with one mean square per row, for latent weights of few bits and without any
// other state of a weight's own. Of every weight w with gradient g,
//   w <- limited(w - rate g / sqrt(v / (1 - beta^steps))), rounded,
//   v <- beta v + (1 - beta) mean(g^2), the mean over the row.
// v is that of the steps before, so that a weight is updated as soon as its gradient is there; the
// first step of all, which has none, only measures. See docs/engine.md.
struct RowProp {
  float rate;
  float correction;  // sqrt(1 - beta^steps) of the steps before this one; 0 in the first
  float beta;
  std::size_t columns;  // those that count in the mean
};

// Latent weights, (rows, padded), padded a multiple of 32, in so many bits each:
//   16  int16 in units of 1/32767; a change is cut to whole units;
//    8  int8 in units of 1/127; a change is cut to 1/256 of a unit and rounded stochastically, for
//       it can be far smaller than a unit.
struct LatentWeights {
  void* data;
  int bits;
};

// mean_square: v, (rows). Rows [begin, end) of all; begin is a multiple of 16. first_row: of the
// block that is passed, in the whole, a multiple of 16, for the random numbers.
using RowPropStep = void (*)(LatentWeights latent, float* mean_square, Gradient gradient,
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
