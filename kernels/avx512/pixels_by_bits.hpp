// Pixels by bits with AVX-512: as with AVX2, for two panels a register.
//
// Tables of 64 entries (`products.cpp`) would look up four groups at once, and could leave out only
// sixteen pixels that are all 0.
//
// | instruction      | does                            | Zen 5: latency, pipes | Ice Lake: latency, ports |
// |------------------|---------------------------------|-----------------------|--------------------------|
// | vpshufb zmm      | 64 lookups, a table a lane      | 2, 2 of 4             | 1, p5                    |
// | vpcompressw zmm  | kept numbers side by side       | 5, 1 of 4             | 6, 2 p5                  |
// | vpermb zmm       | bytes of pairs to tables        | 4, 2 of 4             | 3, p5                    |
#pragma once

#include "../avx2/pixel_rows.hpp"
#include "tables.hpp"

namespace kernels::pixels {
namespace {

// Keep the groups that are not 0 of a row whose `blocks` blocks of nibbles are given: their nibbles
// to `kept`, their offsets to the row.
void keep_groups(const std::uint8_t* nibbles, std::size_t blocks, std::uint16_t* kept, Row& row) {
  constexpr std::size_t kGroups = kRegister / 2;
  constexpr short kStep = kPanelsOfBlock * kPanel;
  const __m512i nibble = _mm512_set1_epi8(15);
  __m512i total = _mm512_setzero_si512();
  alignas(kRegister) std::uint16_t steps[kGroups];
  for (std::size_t i = 0; i < kGroups; ++i) steps[i] = static_cast<std::uint16_t>(i * kStep);
  __m512i offsets = load_wide(steps);
  const std::size_t bytes = blocks * kBlock / 2;
  std::size_t count = 0;
  for (std::size_t byte = 0; byte < bytes; byte += kRegister) {
    const __m512i x = load_bytes(nibbles + byte, smaller(bytes - byte, kRegister));
    const __m512i even = _mm512_and_si512(x, nibble);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi16(x, 4), nibble);
    total = _mm512_add_epi64(total, _mm512_sad_epu8(_mm512_add_epi8(even, odd),
                                                    _mm512_setzero_si512()));
    const __mmask32 which = _mm512_test_epi16_mask(x, x);
    // To a register first: compressing to memory is slow on Zen 4.
    _mm512_storeu_si512(kept + count, _mm512_maskz_compress_epi16(which, x));
    _mm512_storeu_si512(row.offsets + count, _mm512_maskz_compress_epi16(which, offsets));
    count += static_cast<std::size_t>(__builtin_popcount(which));
    offsets = _mm512_add_epi16(offsets, _mm512_set1_epi16(static_cast<short>(kGroups * kStep)));
  }
  static_assert(kGroups <= kSlack);
  _mm512_storeu_si512(kept + count, _mm512_setzero_si512());
  _mm512_storeu_si512(row.offsets + count, _mm512_setzero_si512());
  row.count = (count + kTogether - 1) / kTogether * kTogether;
  row.sum = static_cast<int>(_mm512_reduce_add_epi64(total));
}

// What makes the tables of a row's groups from their nibbles.
struct PixelTables {
  __m512i even, odd;
  FromPairs from_pairs;

  PixelTables() {
    alignas(kRegister) std::uint8_t of_even[kRegister], of_odd[kRegister];
    for (std::uint8_t at = 0; at < kRegister; ++at) {
      of_even[at] = static_cast<std::uint8_t>(at / 4 * 2);
      of_odd[at] = static_cast<std::uint8_t>(at / 4 * 2 + 1);
    }
    even = load_wide(of_even);
    odd = load_wide(of_odd);
  }

  void make(const std::uint16_t* kept, const Row& row) const {
    // Of a pair's four bytes, those that the first pixel is part of, and the second.
    constexpr __mmask64 kFirst = 0xAAAAAAAAAAAAAAAA, kSecond = 0xCCCCCCCCCCCCCCCC;
    const __m256i nibble = _mm256_set1_epi8(15);
    for (std::size_t group = 0; group < row.count; group += kTogether) {
      const __m128i x = _mm_load_si128(reinterpret_cast<const __m128i*>(kept + group));
      const __m256i spread = _mm256_cvtepu8_epi16(x);
      const __m512i pixels = _mm512_castsi256_si512(
          _mm256_and_si256(_mm256_or_si256(spread, _mm256_slli_epi16(spread, 4)), nibble));
      from_pairs.make(_mm512_add_epi8(_mm512_maskz_permutexvar_epi8(kFirst, even, pixels),
                                      _mm512_maskz_permutexvar_epi8(kSecond, odd, pixels)),
                      row.tables + group * kTable);
    }
  }
};

__m512i load_four_tables(const std::uint8_t* table) {
  return _mm512_broadcast_i32x4(_mm_load_si128(reinterpret_cast<const __m128i*>(table)));
}

// `Wide` for two panels.
struct TwoWide {
  __m512i both = _mm512_setzero_si512();
  __m512i odd = _mm512_setzero_si512();

  void add(__m512i bytes) {
    both = _mm512_add_epi16(both, bytes);
    odd = _mm512_add_epi16(odd, _mm512_srli_epi16(bytes, 8));
  }
};

BlockSums look_up(const Row& row, const std::uint8_t* block) {
  constexpr std::size_t kRegisters = kPanelsOfBlock / 2;
  TwoWide sums[kRegisters];
  for (std::size_t g = 0; g < row.count; g += kGroupsUntilWide) {
    const std::uint8_t* tables = row.tables + g * kTable;
    const __m512i table[] = {load_four_tables(tables), load_four_tables(tables + kTable),
                             load_four_tables(tables + 2 * kTable),
                             load_four_tables(tables + 3 * kTable)};
    const std::uint8_t* at[] = {block + row.offsets[g], block + row.offsets[g + 1],
                                block + row.offsets[g + 2], block + row.offsets[g + 3]};
#pragma GCC unroll 2
    for (std::size_t v = 0; v < kRegisters; ++v) {
      const auto entry = [&](std::size_t i) {
        return _mm512_shuffle_epi8(table[i], load_wide(at[i] + v * kRegister));
      };
      sums[v].add(_mm512_add_epi8(_mm512_add_epi8(entry(0), entry(1)),
                                  _mm512_add_epi8(entry(2), entry(3))));
    }
  }
  BlockSums result;
  for (std::size_t v = 0; v < kRegisters; ++v) {
    result.of[2 * v].both = _mm512_castsi512_si256(sums[v].both);
    result.of[2 * v].odd = _mm512_castsi512_si256(sums[v].odd);
    result.of[2 * v + 1].both = _mm512_extracti64x4_epi64(sums[v].both, 1);
    result.of[2 * v + 1].odd = _mm512_extracti64x4_epi64(sums[v].odd, 1);
  }
  return result;
}

struct PixelForm {
  PixelTables tables;
  __m512i levels_of[4];

  explicit PixelForm(const Levels* of_pixels) {
    if (of_pixels == nullptr) return;
    for (std::size_t i = 0; i < 4; ++i) levels_of[i] = load_wide(of_pixels->of + i * kRegister);
  }

  __m256i levels(__m256i pixels) const {
    // Each half of the 256 entries is looked up by the lower seven bits; the top bit chooses.
    const __m512i x = _mm512_castsi256_si512(pixels);
    const __m512i low = _mm512_permutex2var_epi8(levels_of[0], x, levels_of[1]);
    const __m512i high = _mm512_permutex2var_epi8(levels_of[2], x, levels_of[3]);
    return _mm512_castsi512_si256(_mm512_mask_blend_epi8(_mm512_movepi8_mask(x), low, high));
  }
  void keep(const std::uint8_t* nibbles, std::size_t blocks, std::uint16_t* kept, Row& row) const {
    keep_groups(nibbles, blocks, kept, row);
  }
  void make(const std::uint16_t* kept, const Row& row) const { tables.make(kept, row); }
  BlockSums look_up(const Row& row, const std::uint8_t* block) const {
    return pixels::look_up(row, block);
  }
};

void pixels_by_bits(IntRows x, std::size_t elements, GroupOperand b, Output out,
                    products::Range range) {
  multiply_pixels(x, elements, b, out, range, PixelForm{x.levels});
}

}  // namespace
}  // namespace kernels::pixels
