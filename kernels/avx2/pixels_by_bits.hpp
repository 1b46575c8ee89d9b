// Pixels by bits with AVX2: a table of the 16 partial sums of four pixels, looked up for 32
// outputs at once, for every group of four that is not all 0.
//
// What binds is the four vector pipes: for four groups and 32 outputs 4 shuffles, 3 additions and
// 3 instructions of `Wide`; with four panels at a time the two load pipes take no longer.
#pragma once

#include "lookup.hpp"
#include "not_zero.hpp"
#include "pixel_rows.hpp"

namespace kernels::pixels {
namespace {

// Partial sums are at most 60: those of four groups fit a byte.
constexpr std::size_t kGroupsUntilWide = 4;
// Groups that tables are made of at once; a row's are filled up to a multiple.
constexpr std::size_t kTogether = 8;

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
  row.count = (count + kTogether - 1) / kTogether * kTogether;
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

void look_up(const Row& row, const std::uint8_t* block, Wide (&result)[kPanelsOfBlock]) {
  // Not the result: what is pointed to, GCC keeps in memory.
  Wide sums[kPanelsOfBlock];
#pragma GCC unroll 4
  for (Wide& sum : sums) sum.clear();
  for (std::size_t g = 0; g < row.count; g += kGroupsUntilWide) {
    const std::uint8_t* tables = row.tables + g * 16;
    const __m256i table[] = {load_table(tables), load_table(tables + 16), load_table(tables + 32),
                             load_table(tables + 48)};
    const std::uint8_t* at[] = {block + row.offsets[g], block + row.offsets[g + 1],
                                block + row.offsets[g + 2], block + row.offsets[g + 3]};
#pragma GCC unroll 4
    for (std::size_t p = 0; p < kPanelsOfBlock; ++p) {
      const auto entry = [&](std::size_t i) {
        return _mm256_shuffle_epi8(table[i], load(at[i] + p * kPanel));
      };
      sums[p].add(_mm256_add_epi8(_mm256_add_epi8(entry(0), entry(1)),
                                  _mm256_add_epi8(entry(2), entry(3))));
    }
  }
  for (std::size_t p = 0; p < kPanelsOfBlock; ++p) result[p] = sums[p];
}

struct PixelForm {
  static constexpr std::size_t kGroup = 4, kTable = 16, kMaxGroups = 392;
  using Kept = std::uint16_t;


  // The last pixel below each level above the lowest, less 128: a comparison is signed. 127, which
  // no pixel passes, stands for levels that do not exist.
  __m256i last;
  __m256i lowest;

  explicit PixelForm(const Levels* of_pixels) {
    if (of_pixels == nullptr) return;
    // Levels that even pixel 0 reaches have no pixel below.
    std::size_t reached = 0;
    while (reached < of_pixels->count && of_pixels->first[reached] == 0) ++reached;
    alignas(16) std::int8_t below[16];
    for (std::size_t v = 0; v < 16; ++v) {
      below[v] = static_cast<std::int8_t>(
          v + reached < of_pixels->count ? of_pixels->first[v + reached] - 1 - 128 : 127);
    }
    last = _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(below)));
    lowest = _mm256_set1_epi8(static_cast<char>(reached));
  }

  // A pixel's level is how many of the levels' first bytes it reaches: a binary search for 32.
  __m256i levels(__m256i pixels) const {
    const __m256i x = _mm256_xor_si256(pixels, _mm256_set1_epi8(-128));
    __m256i level = _mm256_setzero_si256();
#pragma GCC unroll 4
    for (int step = 8; step > 0; step /= 2) {
      const __m256i at = _mm256_add_epi8(level, _mm256_set1_epi8(static_cast<char>(step - 1)));
      const __m256i above = _mm256_cmpgt_epi8(x, _mm256_shuffle_epi8(last, at));
      level = _mm256_add_epi8(
          level, _mm256_and_si256(above, _mm256_set1_epi8(static_cast<char>(step))));
    }
    return _mm256_add_epi8(level, lowest);
  }
  void pack(const std::uint8_t* pixels, std::size_t blocks, std::uint8_t* nibbles) const {
    const __m256i places = _mm256_set1_epi16(0x1001);
    for (std::size_t block = 0; block < blocks; ++block) {
      const __m256i pairs = _mm256_maddubs_epi16(levels(load(pixels + block * kBlock)), places);
      const __m256i packed = _mm256_packus_epi16(pairs, pairs);
      _mm_store_si128(reinterpret_cast<__m128i*>(nibbles + block * kBlock / 2),
                      _mm256_castsi256_si128(_mm256_permute4x64_epi64(packed, 0b1000)));
    }
  }
  void keep(const std::uint8_t* nibbles, std::size_t blocks, std::uint16_t* kept, Row& row) const {
    keep_groups(nibbles, blocks, kept, row);
  }
  void make(const std::uint16_t* kept, const Row& row) const { make_tables(kept, row); }
  void multiply(const Row& row, const std::uint8_t* block, std::size_t panels,
                const BlockTarget& to) const {
    Wide sums[kPanelsOfBlock];
    look_up(row, block, sums);
    for (std::size_t p = 0; p < panels; ++p) {
      // 2 sum x t - sum x, where bit t of b stands for 2 t - 1.
      write(to.out, to.row, to.panel + p, sums[p], 2, -row.sum, to.add);
    }
  }
};

void pixels_by_bits(IntRows x, std::size_t elements, GroupOperand b, Output out,
                    products::Range range) {
  multiply_pixels(x, elements, b, out, range, PixelForm{x.levels});
}

}  // namespace
}  // namespace kernels::pixels
