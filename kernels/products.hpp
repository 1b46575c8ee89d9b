// Products of an operand of bits (+1/-1) with bits or with small integers (rounded gradients), in
// exact integers.
//
// Both look up partial sums of four elements by a nibble of the panels' bits, 32 outputs at
// once (T-MAC, arXiv 2407.00088, does this for matrix-vector products). No multiplication.
//
// A call works on rows [row_begin, row_end) and panels [panel_begin, panel_end) of the result,
// so that threads divide it in either direction; integers make the result independent of how.
// Outputs past the last (up to the panel's 32) are written too, and mean nothing.
#pragma once

#include "operands.hpp"

namespace kernels::products {

// The most elements (K) whose sums fit an output of int32 or int16.
inline constexpr std::size_t kMaxBits = (std::size_t{1} << 31) - 1;
inline constexpr std::size_t kMaxBitsNarrow = (std::size_t{1} << 15) - 1;
inline constexpr std::size_t kMaxInts = kMaxBits / 128;
inline constexpr std::size_t kMaxIntsNarrow = kMaxBitsNarrow / 15;

struct Range {
  std::size_t row_begin, row_end, panel_begin, panel_end;
};

// The operand on the panels' side: (panels, bytes, 32).
struct PanelOperand {
  const std::uint8_t* data;
  std::size_t bytes;
};

// out[m, n] = sum over k of a[m, k] b[n, k], both +1/-1.
// a: rows of bits, (M, bytes). elements: K, at most 8 bytes.
using BitsByBits = void (*)(const std::uint8_t* a, std::size_t elements, PanelOperand b,
                            Output out, Range range);

// out[m, n] = weight * sum over k of a[m, k] b[n, k], a small integers, b +1/-1; added to what
// out holds if `add`. weight: 1, or 16 for the upper half of a byte.
struct IntProduct {
  IntRows a;
  std::size_t elements;
  PanelOperand b;
  int weight;
  bool add;
  Output out;
  Range range;
};
using IntsByBits = void (*)(const IntProduct& product);

struct Kernels {
  BitsByBits bits_by_bits;
  IntsByBits ints_by_bits;
};

extern const Kernels scalar;
extern const Kernels avx2;
extern const Kernels avx512;
extern const Kernels neon;

}  // namespace kernels::products
