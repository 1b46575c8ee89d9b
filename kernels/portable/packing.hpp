// Bits to panels, for the instruction sets that transpose blocks (transpose.hpp).
#pragma once

#include <cstring>

#include "../packing.hpp"
#include "../transpose.hpp"

namespace kernels::packing {
namespace {

void interleave_panel(const std::uint8_t* matrix, std::size_t rows, std::size_t bytes,
                      std::uint8_t* panel) {
  std::size_t b = 0;
  if (rows == kPanel) {
    for (; b + kPanel <= bytes; b += kPanel) {
      alignas(32) std::uint8_t block[kPanel * kPanel];
      for (std::size_t r = 0; r < kPanel; ++r) {
        std::memcpy(block + r * kPanel, matrix + r * bytes + b, kPanel);
      }
      transpose_block(block, panel + b * kPanel);
    }
  }
  for (; b < bytes; ++b) {
    std::uint8_t* column = panel + b * kPanel;
    std::memset(column, 0, kPanel);
    for (std::size_t r = 0; r < rows; ++r) column[r] = matrix[r * bytes + b];
  }
}

// Four times 8 by 8 bits.
using Blocks = std::uint64_t __attribute__((vector_size(kPanel)));

// Each of them transposed (Warren, "Hacker's Delight", 2nd edition, section 7-3).
inline Blocks transposed(Blocks x) {
  const auto swap = [&x](int shift, std::uint64_t mask) {
    const Blocks t = (x ^ (x >> shift)) & mask;
    x ^= t ^ (t << shift);
  };
  swap(7, 0x00AA00AA00AA00AAU);
  swap(14, 0x0000CCCC0000CCCCU);
  swap(28, 0x00000000F0F0F0F0U);
  return x;
}

void transpose_panel(const std::uint8_t* matrix, std::size_t rows, std::size_t columns,
                     std::size_t panel_index, std::uint8_t* panel) {
  const std::size_t bytes = bytes_for(columns);
  const std::size_t first = panel_index * kPanel / 8;
  const std::size_t width = bytes - first < 4 ? bytes - first : 4;
  for (std::size_t byte = 0; byte < bytes_for(rows); ++byte) {
    // Eight rows of 32 bits: byte r of quadword q holds columns 8 q to 8 q + 7 of row r.
    std::uint8_t gathered[kPanel] = {};
    const std::size_t count = rows - byte * 8 < 8 ? rows - byte * 8 : 8;
    for (std::size_t r = 0; r < count; ++r) {
      const std::uint8_t* row = matrix + (byte * 8 + r) * bytes + first;
      for (std::size_t q = 0; q < width; ++q) gathered[q * 8 + r] = row[q];
    }
    Blocks blocks;
    std::memcpy(&blocks, gathered, sizeof(blocks));
    blocks = transposed(blocks);
    std::memcpy(panel + byte * kPanel, &blocks, sizeof(blocks));
  }
}

}  // namespace
}  // namespace kernels::packing
