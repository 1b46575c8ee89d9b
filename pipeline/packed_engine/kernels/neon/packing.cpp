// Packing with NEON.
#include "../packing.hpp"

#include <cstring>

#include "../transpose.hpp"
#include "common.hpp"

namespace kernels::packing {
namespace {

// The signs of 16 floats, all or no bits of a byte set.
uint8x16_t signs(const float* x) {
  uint16x4_t part[4];
  for (std::size_t i = 0; i < 4; ++i) part[i] = vmovn_u32(vcgezq_f32(vld1q_f32(x + 4 * i)));
  return vcombine_u8(vmovn_u16(vcombine_u16(part[0], part[1])),
                     vmovn_u16(vcombine_u16(part[2], part[3])));
}

void pack_row(const float* x, std::size_t columns, std::uint8_t* row) {
  std::size_t c = 0;
  for (; c + kPanel <= columns; c += kPanel) {
    const std::uint32_t word = to_bits(signs(x + c), signs(x + c + kBytes));
    std::memcpy(row + c / 8, &word, sizeof(word));
  }
  if (c < columns) scalar.pack_row(x + c, columns - c, row + c / 8);
}

void interleave_panel(const std::uint8_t* matrix, std::size_t rows, std::size_t bytes,
                      std::uint8_t* panel) {
  std::size_t b = 0;
  if (rows == kPanel) {
    for (; b + kPanel <= bytes; b += kPanel) {
      std::uint8_t block[kPanel * kPanel];
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

// Transpose the 8 by 8 bits of both halves (Warren, "Hacker's Delight", 2nd edition, section 7-3).
uint64x2_t transposed(uint64x2_t x) {
  const auto swap = [&x](std::uint64_t shift, std::uint64_t mask) {
    const uint64x2_t t = (x ^ (x >> shift)) & mask;
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
    for (std::size_t half = 0; half < kHalves; ++half) {
      const uint64x2_t x = vreinterpretq_u64_u8(vld1q_u8(gathered + half * kBytes));
      vst1q_u8(panel + byte * kPanel + half * kBytes, vreinterpretq_u8_u64(transposed(x)));
    }
  }
}

}  // namespace

const Kernels neon{pack_row, interleave_panel, transpose_panel};

}  // namespace kernels::packing
