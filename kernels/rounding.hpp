// Stochastic rounding: gradients to a few bits, latent weights to one.
//
// Unbiased: g / factor, cut to a multiple of 2^-16, is rounded to floor(g / factor + u), u uniform
// in [0, 1). One factor for all that a product sums over, so that it is a factor of the sums. Where
// it is below 2^-111, all rounds to 0: its reciprocal is more than a float32 holds.
#pragma once

#include "layout.hpp"
#include "random.hpp"

namespace kernels::rounding {

// The factors of a panel's 32 columns: their largest absolute value over `max`, 0 for a column
// of zeros.
using ColumnFactors = void (*)(const float* panel, std::size_t rows, int max, float* factors);

// A panel of (rows, 32) to columns of int8: column c is `stride` bytes from column c - 1, zero
// past the rows up to a multiple of 32. Columns from `valid` on are not written.
using RoundColumns = void (*)(const float* panel, std::size_t rows, const float* factors,
                              Draw draw, std::size_t panel_index, std::size_t valid,
                              std::int8_t* out, std::size_t stride);

// Rows [begin, end) of (panels, rows, 32) to (rows, stride) int8, with a factor a row; begin is
// even. Columns from `columns` on count for nothing and become 0.
using RoundRows = void (*)(const float* matrix, std::size_t rows, std::size_t columns,
                           std::size_t begin, std::size_t end, int max, Draw draw,
                           std::int8_t* out, std::size_t stride, float* factors);

// A row of latent weights to bits: the sign of the weight plus `noise` times a random number in
// (-1, 1). latent: readable to a multiple of 32.
enum class Latent {
  real,   // float32
  words,  // int16 in units of 1/32767
  bytes,  // int8 in units of 1/127
};
using PackRow = void (*)(const void* latent, Latent form, std::size_t row, std::size_t columns,
                         float noise, Draw draw, std::uint8_t* bits);

struct Kernels {
  ColumnFactors column_factors;
  RoundColumns round_columns;
  RoundRows round_rows;
  PackRow pack_row;
};

extern const Kernels scalar;
extern const Kernels avx2;
extern const Kernels avx512;
extern const Kernels neon;

}  // namespace kernels::rounding
