// Products of an operand of bits (+1/-1) with bits or with small integers, in exact integers.
//
// Both look up partial sums of four elements by a nibble of the panels' bits, 32 outputs at
// once (T-MAC, arXiv 2407.00088, does this for matrix-vector products). No multiplication.
//
// A call works on rows [row_begin, row_end) and panels [panel_begin, panel_end) of the result,
// so that threads divide it in either direction; integers make the result independent of how.
#pragma once

#include "layout.hpp"

namespace kernels::products {

inline constexpr std::size_t kMostBits = (std::size_t{1} << 31) - 1;
inline constexpr std::size_t kMostInts = kMostBits / 45;

struct Range {
  std::size_t row_begin, row_end, panel_begin, panel_end;
};

// The operand on the panels' side: (panels, bytes, 32), `outputs` rows in all.
struct PanelOperand {
  const std::uint8_t* data;
  std::size_t outputs;
  std::size_t bytes;
};

// out[m, n] = sum over k of a[m, k] b[n, k], both +1/-1.
// a: rows of bits, (M, bytes). elements: K, at most 8 bytes. out: (M, outputs) int32.
// No overflow for K up to kMostBits.
using BitsByBits = void (*)(const std::uint8_t* a, std::size_t elements, PanelOperand b,
                            std::int32_t* out, Range range);

// out[m, n] = sum over k of a[m, k] b[n, k], a small integers, b +1/-1.
// a: (M, elements) bytes, each the integer plus `offset`, in 0..15.
// No overflow for K up to kMostInts: partial results reach 45 K.
using IntsByBits = void (*)(const std::uint8_t* a, std::size_t elements, int offset,
                            PanelOperand b, std::int32_t* out, Range range);

struct Kernels {
  BitsByBits bits_by_bits;
  IntsByBits ints_by_bits;
};

extern const Kernels scalar;
extern const Kernels avx2;

}  // namespace kernels::products
