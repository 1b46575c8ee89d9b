// The gradient of softmax and cross-entropy.
//
// One form for all instruction sets: a batch has few class scores, and what matters is that the
// exponential is the same everywhere, which a platform's own is not.
#pragma once

#include "normalization.hpp"

namespace kernels::loss {

// out[b, c] = (softmax(scores of b)[c] - target[b, c]) / rows, for rows [begin, end), where
// target[b, c] = (1 - smoothing) [c == labels[b]] + smoothing / classes.
// Scores are scale s + shift over panels of sums, (panels, rows, 32), int16 or int32; `batch` has
// the scale and shift of a panel's columns at scale + panel * batch_stride. out: float32 like the
// sums, 0 past the last class.
struct Scores {
  const void* sums;
  bool wide;
  std::size_t rows;
  std::size_t classes;
  normalization::Affine affine;
  std::size_t batch_stride;
};

void softmax_gradient(const Scores& scores, const std::uint8_t* labels, float smoothing,
                      std::size_t begin, std::size_t end, float* out);

}  // namespace kernels::loss
