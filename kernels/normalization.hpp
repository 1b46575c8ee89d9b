// Batch normalization of integer sums and binarization, a panel of 32 columns at a time, and the
// way back with the straight-through estimator.
//
// Forward: a = scale s + shift, with scale = gain / sqrt(variance + epsilon) and
// shift = bias - mean scale; the bit is a >= 0. Backward (Ioffe & Szegedy 2015, arXiv 1502.03167):
// with x = (s - mean) inverse and g the gradient of a, which the straight-through estimator
// (Courbariaux et al. 2016, arXiv 1602.02830, equation 4) sets to 0 where |a| > 1,
//   gain's gradient = sum g x,  bias's gradient = sum g,
//   gradient of s   = scale (g - mean of g - x mean of g x).
// The sums s are not kept as normalized floats: all of this starts from the integers.
#pragma once

#include "layout.hpp"
#include "random.hpp"

namespace kernels::normalization {

// Sums of a panel: (rows, 32), int16 or int32.
struct Panel {
  const void* sums;
  bool wide;
  std::size_t rows;
};

// Of 32 columns, each.
struct Affine {
  const float* scale;
  const float* shift;
};

struct Batch {
  Affine affine;
  const float* mean;
  const float* inverse;
};

// The gradient that comes in: (rows, 32) of int16, int32 or float32, times a factor a row.
struct Gradient {
  enum class Type { narrow, wide, real } type;
  const void* data;
  const float* factor;  // null stands for 1
};

// Sums and sums of squares of 32 columns. Exact, hence in any order: they stay below 2^53.
using Statistics = void (*)(Panel panel, double* sums, double* squares);

// Bits of rows [begin, end), begin even, of 32 columns: `width` (1 to 4) bytes of every row,
// `stride` bytes apart; columns from `valid` on are 0. With a draw, a random number in (-1, 1) is added to a: the bit is then 1 with
// probability clip((a + 1) / 2, 0, 1).
using Binarize = void (*)(Panel panel, std::size_t begin, std::size_t end, Affine affine,
                          std::size_t valid, const Draw* draw, std::size_t panel_index,
                          std::uint8_t* bits, std::size_t stride, std::size_t width);

// The gradient of s, (rows, 32), and of gain and bias. `masked`: with the straight-through mask.
using Backward = void (*)(Panel panel, Batch batch, Gradient gradient, bool masked, float* out,
                          float* gain_gradient, float* bias_gradient);

// The two halves of the same, for a part of the rows. The first adds the sum of the gradient of a,
// and that of its product with x, to totals, (2, 32).
using ActivationTotals = void (*)(Panel panel, Batch batch, Gradient gradient, bool masked,
                                  double* totals);
// From the totals of all rows, `count` of them, the gradient of s, (rows, 32).
using SumGradient = void (*)(Panel panel, Batch batch, Gradient gradient, bool masked,
                             const double* totals, std::size_t count, float* out);

struct Kernels {
  Statistics statistics;
  Binarize binarize;
  Backward backward;
  ActivationTotals activation_totals;
  SumGradient sum_gradient;
};

extern const Kernels scalar;
extern const Kernels avx2;
extern const Kernels avx512;
extern const Kernels neon;

}  // namespace kernels::normalization
