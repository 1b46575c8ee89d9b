// Tables of pixels with AVX2: for every group of four pixels of a row that is not all 0, the 16
// partial sums that four bits choose from.
#pragma once

#include "../pixels.hpp"

#include "lookup.hpp"
#include "not_zero.hpp"

namespace kernels::pixels {
namespace {

// Partial sums are at most 60: those of four groups fit a byte.
constexpr std::size_t kGroupsUntilWide = 4;
// So many groups of a row at a time: their sums, at most 60 each, and their offsets fit 16 bits.
constexpr std::size_t kMostGroups = 392;
// Rows whose tables are made before the panels are read: half a second-level cache of 512 KiB at
// most, and a quarter of it with 784 pixels of which half are 0.
constexpr std::size_t kTableRows = 32;
constexpr std::size_t kTable = 16;
// Pixels that are read at a time: 16 bytes of nibbles.
constexpr std::size_t kBlock = 32;

// A row's groups that are not all 0, as many as a multiple of kEight, those past the last all 0.
struct Row {
  std::uint8_t* tables;
  std::uint16_t* offsets;  // of the groups in a block
  std::size_t count;
  int sum;
};

// Pixels [first, first + count) of row m as nibbles, 0 past the row's `elements`.
void read_nibbles(IntRows x, std::size_t m, std::size_t first, std::size_t count,
                  std::size_t elements, std::uint8_t* out) {
  const std::uint8_t* row = x.row(m);
  const std::size_t last = smaller(elements, first + count);
  std::size_t k = first;
  auto* to = reinterpret_cast<__m128i*>(out);
  if (x.form == Form::nibbles) {
    for (; k + kBlock <= last; k += kBlock, ++to) {
      _mm_store_si128(to, _mm_loadu_si128(reinterpret_cast<const __m128i*>(row + k / 2)));
    }
  } else {
    const __m128i shift = _mm_cvtsi32_si128(x.shift);
    // A shift of 16 bits brings those of the neighbour.
    const __m256i mask = _mm256_set1_epi8(static_cast<char>(0xFF >> x.shift));
    const __m256i places = _mm256_set1_epi16(0x1001);
    for (; k + kBlock <= last; k += kBlock, ++to) {
      const __m256i pixels = _mm256_and_si256(_mm256_srl_epi16(load(row + k), shift), mask);
      const __m256i pairs = _mm256_maddubs_epi16(pixels, places);
      const __m256i packed = _mm256_packus_epi16(pairs, pairs);
      _mm_store_si128(to, _mm256_castsi256_si128(_mm256_permute4x64_epi64(packed, 0b1000)));
    }
  }
  auto* bytes = reinterpret_cast<std::uint8_t*>(to);
  std::uint8_t* end = out + count / 2;
  for (std::uint8_t* byte = bytes; byte < end; ++byte) *byte = 0;
  for (std::size_t i = 0; k < last; ++k, ++i) {
    const int pixel = x.form == Form::nibbles ? row[k / 2] >> (k % 2 * 4) & 15
                                              : row[k] >> x.shift;
    bytes[i / 2] = static_cast<std::uint8_t>(bytes[i / 2] | pixel << (i % 2 * 4));
  }
}

// Keep the groups that are not 0 of a row whose `blocks` blocks of nibbles are given: their nibbles
// to `kept`, their offsets to the row.
void keep_groups(const std::uint8_t* nibbles, std::size_t blocks, std::uint16_t* kept, Row& row) {
  constexpr int kStep = kPanelsOfBlock * kPanel;
  const __m128i zero = _mm_setzero_si128();
  const __m128i nibble = _mm_set1_epi8(15);
  __m128i total = zero;
  __m128i offsets = _mm_setr_epi16(0, kStep, 2 * kStep, 3 * kStep, 4 * kStep, 5 * kStep, 6 * kStep,
                                   7 * kStep);
  std::size_t count = 0;
  for (std::size_t block = 0; block < blocks; ++block) {
    const auto* from = reinterpret_cast<const __m128i*>(nibbles + block * kBlock / 2);
    const __m128i x = _mm_load_si128(from);
    const __m128i even = _mm_and_si128(x, nibble);
    const __m128i odd = _mm_and_si128(_mm_srli_epi16(x, 4), nibble);
    total = _mm_add_epi64(total, _mm_sad_epu8(_mm_add_epi8(even, odd), zero));
    const NotZero which(x);
    which.store(kept + count, x);
    which.store(row.offsets + count, offsets);
    count += which.count();
    offsets = _mm_add_epi16(offsets, _mm_set1_epi16(kEight * kStep));
  }
  _mm_storeu_si128(reinterpret_cast<__m128i*>(kept + count), zero);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(row.offsets + count), zero);
  row.count = (count + kEight - 1) / kEight * kEight;
  row.sum = static_cast<int>(_mm_cvtsi128_si64(total) + _mm_extract_epi64(total, 1));
}

// Make the tables of a row's groups, whose nibbles are given.
void make_tables(const std::uint16_t* kept, const Row& row) {
  // Of a group's pixels a, b, c, d eight bytes are made: 0, a, b, a + b, and 0, c, d, c + d. Entry
  // i of its table is the sum of byte i % 4 of the former and i / 4 of the latter. The upper half
  // of a register makes the table of the second of two groups.
  const __m256i first = _mm256_setr_epi8(0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3,  //
                                         8, 9, 10, 11, 8, 9, 10, 11, 8, 9, 10, 11, 8, 9, 10, 11);
  const __m256i second =
      _mm256_setr_epi8(4, 4, 4, 4, 5, 5, 5, 5, 6, 6, 6, 6, 7, 7, 7, 7,  //
                       12, 12, 12, 12, 13, 13, 13, 13, 14, 14, 14, 14, 15, 15, 15, 15);
  const __m128i zero = _mm_setzero_si128();
  const __m128i nibble = _mm_set1_epi8(15);
  auto* to = reinterpret_cast<__m256i*>(row.tables);
  for (std::size_t group = 0; group < row.count; group += kEight) {
    const __m128i x = _mm_load_si128(reinterpret_cast<const __m128i*>(kept + group));
    const __m128i even = _mm_and_si128(x, nibble);
    const __m128i odd = _mm_and_si128(_mm_srli_epi16(x, 4), nibble);
    const __m128i both = _mm_add_epi8(even, odd);
    const __m128i low_even = _mm_unpacklo_epi8(zero, even), low_odd = _mm_unpacklo_epi8(odd, both);
    const __m128i high_even = _mm_unpackhi_epi8(zero, even),
                  high_odd = _mm_unpackhi_epi8(odd, both);
    const auto put = [&](__m128i two_groups) {
      const __m256i sums = _mm256_broadcastsi128_si256(two_groups);
      _mm256_store_si256(to++, _mm256_add_epi8(_mm256_shuffle_epi8(sums, first),
                                               _mm256_shuffle_epi8(sums, second)));
    };
    put(_mm_unpacklo_epi16(low_even, low_odd));
    put(_mm_unpackhi_epi16(low_even, low_odd));
    put(_mm_unpacklo_epi16(high_even, high_odd));
    put(_mm_unpackhi_epi16(high_even, high_odd));
  }
}

// Sums of a row by the panels of a block.
struct BlockSums {
  Wide of[kPanelsOfBlock];
};

// The product, where look_up(row, block) gives a row's sums by a block of panels.
template <typename LookUp>
void multiply_pixels(IntRows x, std::size_t elements, GroupOperand b, Output out,
                     products::Range range, LookUp look_up) {
  const std::size_t most_blocks = (smaller(b.groups, kMostGroups) * kGroup + kBlock - 1) / kBlock;
  const std::size_t most_tables = most_blocks * kBlock / kGroup + kEight;
  const Scratch<std::uint8_t> nibbles(most_blocks * kBlock / 2);
  const Scratch<std::uint8_t> tables(kTableRows * most_tables * kTable);
  const Scratch<std::uint16_t> offsets(kTableRows * most_tables);
  const Scratch<std::uint16_t> kept(most_tables);
  Row rows[kTableRows];
  for (std::size_t row = range.row_begin; row < range.row_end; row += kTableRows) {
    const std::size_t count = smaller(kTableRows, range.row_end - row);
    prefetch(x, row + count, smaller(row + count + kTableRows, range.row_end));
    for (std::size_t group = 0; group < b.groups; group += kMostGroups) {
      const std::size_t groups = smaller(kMostGroups, b.groups - group);
      const std::size_t blocks = (groups * kGroup + kBlock - 1) / kBlock;
      const std::size_t first = group * kGroup;
      for (std::size_t r = 0; r < count; ++r) {
        rows[r].tables = tables.get() + r * most_tables * kTable;
        rows[r].offsets = offsets.get() + r * most_tables;
        read_nibbles(x, row + r, first, blocks * kBlock, smaller(elements, first + groups * kGroup),
                     nibbles.get());
        keep_groups(nibbles.get(), blocks, kept.get(), rows[r]);
        make_tables(kept.get(), rows[r]);
      }
      for (std::size_t panel = range.panel_begin; panel < range.panel_end;
           panel += kPanelsOfBlock) {
        const std::uint8_t* block = b.data + (panel * b.groups + group * kPanelsOfBlock) * kPanel;
        const std::size_t panels = smaller(kPanelsOfBlock, range.panel_end - panel);
        for (std::size_t r = 0; r < count; ++r) {
          const BlockSums sums = look_up(rows[r], block);
          for (std::size_t p = 0; p < panels; ++p) {
            // 2 sum x t - sum x, where bit t of b stands for 2 t - 1.
            write(out, row + r, panel + p, sums.of[p], 2, -rows[r].sum, group > 0);
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace kernels::pixels
