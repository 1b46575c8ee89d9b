// Pixels by bits with AVX-512 in groups of four: as with AVX2, for two panels a register.
//
// | instruction      | does                            | Zen 5: latency, pipes | Ice Lake: latency, ports |
// |------------------|---------------------------------|-----------------------|--------------------------|
// | vpshufb zmm      | 64 lookups, a table a lane      | 2, 2 of 4             | 1, p5                    |
// | vpcompressw zmm  | kept numbers side by side       | 5, 1 of 4             | 6, 2 p5                  |
// | vpermb zmm       | bytes of pairs to tables        | 4, 2 of 4             | 3, p5                    |
#pragma once

#include "pixel_rows.hpp"
#include "tables.hpp"

namespace kernels::pixels {
namespace {

struct InFours {
  static constexpr std::size_t kGroup = 4, kTable = 16, kMaxGroups = 392;
  using Kept = std::uint16_t;
  // Groups that tables are made of at once; a row's are filled up to a multiple.
  static constexpr std::size_t kTogether = 8;
  // Partial sums are at most 60: those of four groups fit a byte.
  static constexpr std::size_t kGroupsUntilWide = 4;

  LevelsOfBytes of_bytes;
  __m512i even, odd;
  FromPairs from_pairs;

  explicit InFours(const Levels* levels) : of_bytes(levels) {
    alignas(kRegister) std::uint8_t of_even[kRegister], of_odd[kRegister];
    for (std::uint8_t at = 0; at < kRegister; ++at) {
      of_even[at] = static_cast<std::uint8_t>(at / 4 * 2);
      of_odd[at] = static_cast<std::uint8_t>(at / 4 * 2 + 1);
    }
    even = load_wide(of_even);
    odd = load_wide(of_odd);
  }

  void pack(const std::uint8_t* pixels, std::size_t blocks, std::uint8_t* nibbles) const {
    of_bytes.pack(pixels, blocks, nibbles);
  }

  void keep(const std::uint8_t* nibbles, std::size_t blocks, std::uint16_t* kept, Row& row) const {
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
      const __m512i lower = _mm512_and_si512(x, nibble);
      const __m512i upper = _mm512_and_si512(_mm512_srli_epi16(x, 4), nibble);
      total = _mm512_add_epi64(total, _mm512_sad_epu8(_mm512_add_epi8(lower, upper),
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

  void multiply(const Row& row, const std::uint8_t* block, std::size_t panels,
                const BlockTarget& to) const {
    multiply_row<kGroupsUntilWide, kTable>(row, block, panels, to, [](const std::uint8_t* table) {
      return _mm512_broadcast_i32x4(_mm_load_si128(reinterpret_cast<const __m128i*>(table)));
    });
  }
};

}  // namespace
}  // namespace kernels::pixels
