// How bits lie in memory. Every kernel reads and writes these two forms.
//
// Rows    (rows, bytes) uint8: bit j of byte b of a row is element 8 b + j; 1 stands for +1
//         and 0 for -1. Bits past the last element are 0.
// Panels  (panels, bytes, 32) uint8: the same bytes of 32 rows side by side. Byte (p, b, o)
//         is byte b of row 32 p + o; rows past the last are 0. One vector load then has the
//         same eight elements of 32 outputs: two groups of four, a nibble each.
//
// A product sums over the elements (the contraction, K); its outputs (N) are the panels' rows.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kernels {

// One vector register of bytes on AVX2, two on NEON.
inline constexpr std::size_t kPanel = 32;

constexpr std::size_t bytes_for(std::size_t elements) { return (elements + 7) / 8; }
constexpr std::size_t panels_for(std::size_t rows) { return (rows + kPanel - 1) / kPanel; }

constexpr std::size_t round_up(std::size_t count, std::size_t unit) {
  return (count + unit - 1) / unit * unit;
}

// Elements rounded up to whole panels.
constexpr std::size_t padded(std::size_t count) { return round_up(count, kPanel); }

// How many of a panel's 32 rows exist, of `rows` in all.
constexpr std::size_t rows_in_panel(std::size_t panel, std::size_t rows) {
  const std::size_t left = rows - panel * kPanel;
  return left < kPanel ? left : kPanel;
}

}  // namespace kernels
