// Pixels by bits with NEON: a table of the 16 partial sums of four pixels, looked up for 16 outputs
// at once, for every group of four that is not all 0.
#pragma once

#include <algorithm>

#include "../aligned.hpp"
#include "../pixels.hpp"
#include "sums.hpp"

namespace kernels::pixels {
namespace {

constexpr std::size_t kGroup = 4;
// Partial sums are at most 60: those of four groups fit a byte.
constexpr std::size_t kGroupsUntilWide = 4;
// So many groups of a row at a time: their sums fit 16 bits.
constexpr std::size_t kMaxGroups = 1024;
// Rows whose tables are made before the panels are read: 100 KiB with 784 pixels, half as much if
// half are 0.
constexpr std::size_t kTableRows = 32;
// Nibbles of so many pixels are read at a time.
constexpr std::size_t kBlock = 2 * kBytes;

// A row's groups that are not all 0, and as many groups of zeros as make their number a multiple of
// kGroupsUntilWide.
struct Row {
  std::uint8_t* tables;    // of 16 bytes
  std::uint32_t* offsets;  // of the groups in a block of panels
  std::size_t count;
  int sum;
};

// A byte's level is how many of the levels' first bytes it reaches.
uint8x16_t levels_of(uint8x16_t pixels, const Levels& levels) {
  uint8x16_t sum = vdupq_n_u8(0);
  for (std::size_t v = 0; v < levels.count; ++v) {
    sum = vsubq_u8(sum, vcgeq_u8(pixels, vdupq_n_u8(levels.first[v])));
  }
  return sum;
}

// 16 levels to nibbles.
uint8x8_t packed(uint8x16_t levels) {
  const uint16x8_t pairs = vreinterpretq_u16_u8(levels);
  return vmovn_u16(vorrq_u16(pairs, vshrq_n_u16(pairs, 4)));
}

// 32 pixels of row m from pixel k on as nibbles, 0 from pixel `last` on.
uint8x16_t read_nibbles(IntRows x, std::size_t m, std::size_t k, std::size_t last) {
  const std::uint8_t* row = x.row(m);
  if (k + kBlock > last) {
    std::uint8_t tail[kBytes] = {};
    for (std::size_t i = 0; k + i < last; ++i) {
      const int pixel = x.form == Form::nibbles ? row[(k + i) / 2] >> ((k + i) % 2 * 4) & 15
                                                : x.levels->of[row[k + i]];
      tail[i / 2] = static_cast<std::uint8_t>(tail[i / 2] | pixel << (i % 2 * 4));
    }
    return vld1q_u8(tail);
  }
  if (x.form == Form::nibbles) return vld1q_u8(row + k / 2);
  return vcombine_u8(packed(levels_of(vld1q_u8(row + k), *x.levels)),
                     packed(levels_of(vld1q_u8(row + k + kBytes), *x.levels)));
}

// Entry i of a group's table is the sum of the pixels of which i has the bit. `pixels`: of the
// group, in the first four bytes.
uint8x16_t table_of(uint8x16_t pixels) {
  // A lookup past the 16 bytes gives 0.
  constexpr std::uint8_t n = 255;
  const uint8x16_t first = {n, 0, n, 0, n, 0, n, 0, n, 0, n, 0, n, 0, n, 0};
  const uint8x16_t second = {n, n, 1, 1, n, n, 1, 1, n, n, 1, 1, n, n, 1, 1};
  const uint8x16_t third = {n, n, n, n, 2, 2, 2, 2, n, n, n, n, 2, 2, 2, 2};
  const uint8x16_t fourth = {n, n, n, n, n, n, n, n, 3, 3, 3, 3, 3, 3, 3, 3};
  return vaddq_u8(vaddq_u8(vqtbl1q_u8(pixels, first), vqtbl1q_u8(pixels, second)),
                  vaddq_u8(vqtbl1q_u8(pixels, third), vqtbl1q_u8(pixels, fourth)));
}

// Make the tables of groups [begin, end) of row m; its pixels end with `elements`.
void make_tables(IntRows x, std::size_t m, std::size_t begin, std::size_t end,
                 std::size_t elements, Row& row) {
  constexpr std::size_t kGroups = kBlock / kGroup;
  const std::size_t last = std::min(elements, end * kGroup);
  row.count = 0;
  row.sum = 0;
  for (std::size_t group = begin; group < end; group += kGroups) {
    const uint8x16_t nibbles = read_nibbles(x, m, group * kGroup, last);
    const uint8x16_t even = low_nibbles(nibbles), odd = high_nibbles(nibbles);
    row.sum += vaddlvq_u8(vaddq_u8(even, odd));
    std::uint8_t bytes[kBlock + kBytes];
    vst1q_u8(bytes, vzip1q_u8(even, odd));
    vst1q_u8(bytes + kBytes, vzip2q_u8(even, odd));
    for (std::size_t i = 0; i < kGroups && group + i < end; ++i) {
      const uint8x16_t pixels = vld1q_u8(bytes + i * kGroup);
      if (vgetq_lane_u32(vreinterpretq_u32_u8(pixels), 0) == 0) continue;
      vst1q_u8(row.tables + row.count * kBytes, table_of(pixels));
      row.offsets[row.count++] =
          static_cast<std::uint32_t>((group + i - begin) * kPanelsOfBlock * kPanel);
    }
  }
  for (; row.count % kGroupsUntilWide != 0; ++row.count) {
    vst1q_u8(row.tables + row.count * kBytes, vdupq_n_u8(0));
    row.offsets[row.count] = 0;
  }
}

void look_up(const Row& row, const std::uint8_t* block, Sums (&result)[kPanelsOfBlock]) {
  Sums sums[kPanelsOfBlock];
  for (std::size_t g = 0; g < row.count; g += kGroupsUntilWide) {
    uint8x16_t table[kGroupsUntilWide];
    const std::uint8_t* at[kGroupsUntilWide];
    for (std::size_t i = 0; i < kGroupsUntilWide; ++i) {
      table[i] = vld1q_u8(row.tables + (g + i) * kBytes);
      at[i] = block + row.offsets[g + i];
    }
#pragma GCC unroll 4
    for (std::size_t p = 0; p < kPanelsOfBlock; ++p) {
#pragma GCC unroll 2
      for (std::size_t half = 0; half < kHalves; ++half) {
        const auto entry = [&](std::size_t i) {
          return vqtbl1q_u8(table[i], vld1q_u8(at[i] + p * kPanel + half * kBytes));
        };
        sums[p].add_unsigned(half, vaddq_u8(vaddq_u8(entry(0), entry(1)),
                                            vaddq_u8(entry(2), entry(3))));
      }
    }
  }
  for (std::size_t p = 0; p < kPanelsOfBlock; ++p) result[p] = sums[p];
}

void pixels_by_bits(IntRows x, std::size_t elements, GroupOperand b, Output out,
                    products::Range range) {
  const std::size_t max_groups = std::min(b.groups, kMaxGroups) + kGroupsUntilWide;
  const AlignedBytes tables(kTableRows * max_groups * kBytes);
  const AlignedBytes offsets(kTableRows * max_groups * sizeof(std::uint32_t));
  Row rows[kTableRows];
  for (std::size_t r = 0; r < kTableRows; ++r) {
    rows[r].tables = tables.get() + r * max_groups * kBytes;
    rows[r].offsets = reinterpret_cast<std::uint32_t*>(offsets.get()) + r * max_groups;
  }
  for (std::size_t row = range.row_begin; row < range.row_end; row += kTableRows) {
    const std::size_t count = std::min(kTableRows, range.row_end - row);
    for (std::size_t group = 0; group < b.groups; group += kMaxGroups) {
      const std::size_t end = std::min(b.groups, group + kMaxGroups);
      for (std::size_t r = 0; r < count; ++r) {
        make_tables(x, row + r, group, end, elements, rows[r]);
      }
      for (std::size_t panel = range.panel_begin; panel < range.panel_end;
           panel += kPanelsOfBlock) {
        const std::uint8_t* block = b.data + (panel * b.groups + group * kPanelsOfBlock) * kPanel;
        const std::size_t panels = std::min(kPanelsOfBlock, range.panel_end - panel);
        for (std::size_t r = 0; r < count; ++r) {
          Sums sums[kPanelsOfBlock];
          look_up(rows[r], block, sums);
          for (std::size_t p = 0; p < panels; ++p) {
            // 2 sum x t - sum x, where bit t of b stands for 2 t - 1.
            write(out, row + r, panel + p, sums[p], false, 2, -rows[r].sum, group > 0);
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace kernels::pixels
