// Pixels by bits with AVX-512 in groups of six: tables of 64 partial sums, looked up for 64 outputs at
// once.
//
// Per pixel, lookups, additions and loads are fewer than in groups of four, but a row's tables are
// nearly three times as many bytes: 6 KiB with 784 pixels, half of them 0. They take longer to make, so
// that on Zen 4 groups of six pay from three blocks of panels on.
//
// | instruction      | does                            | Zen 4: latency, pipes | Ice Lake: latency, ports |
// |------------------|---------------------------------|-----------------------|--------------------------|
// | vpermb zmm       | 64 lookups in 64 entries        | 4, 2 of 4             | 3, p5                    |
// | vpcompressd zmm  | kept groups side by side        | 5, 1 of 4             | 3, 2 p5                  |
// | vpaddb, vpaddw   | add                             | 1, 4 of 4             | 1, p05                   |
// | vpsrlw           | the odd outputs' sums           | 1, 2 of 4             | 1, p0                    |
//
// Zen 4 has pipes of 32 bytes, and takes two cycles for a register.
#pragma once

#include "pixel_rows.hpp"

namespace kernels::pixels {
namespace {

struct InSixes {
  static constexpr std::size_t kGroup = 6, kTable = 64, kMaxGroups = 192;
  using Kept = std::uint32_t;
  // Groups that tables are made of at once; a row's are filled up to a multiple.
  static constexpr std::size_t kTogether = 4;
  // Partial sums are at most 90: those of two groups fit a byte.
  static constexpr std::size_t kGroupsUntilWide = 2;
  // 16 groups are read at a time: three bytes of nibbles each.
  static constexpr std::size_t kGroupsRead = 16;
  static constexpr std::size_t kBytesRead = 3 * kGroupsRead;
  static_assert(kGroupsRead <= kSlack);

  LevelsOfBytes of_bytes;
  // Three bytes to each of 16 lanes.
  __m512i lanes;
  // Of four groups' nibbles, the lower ones in the first 16 bytes and the upper ones in the next:
  // where the three pixels of each half of a group lie.
  __m512i pixels[3];
  // Of the halves' sums, eight each: those that the entries of a group's table add.
  __m512i first[kTogether], second[kTogether];

  explicit InSixes(const Levels* levels) : of_bytes(levels) {
    alignas(kRegister) std::uint8_t of_lanes[kRegister], of_pixel[3][kRegister],
        of_first[kTogether][kRegister], of_second[kTogether][kRegister];
    for (std::uint8_t at = 0; at < kRegister; ++at) {
      of_lanes[at] = static_cast<std::uint8_t>(at / 4 * 3 + at % 4);
      for (std::uint8_t i = 0; i < 3; ++i) {
        const auto pixel = static_cast<std::uint8_t>(at / 8 % 2 * 3 + i);
        of_pixel[i][at] = static_cast<std::uint8_t>(pixel % 2 * 16 + at / 16 * 4 + pixel / 2);
      }
      for (std::uint8_t g = 0; g < kTogether; ++g) {
        of_first[g][at] = static_cast<std::uint8_t>(g * 16 + at % 8);
        of_second[g][at] = static_cast<std::uint8_t>(g * 16 + 8 + at / 8);
      }
    }
    lanes = load_wide(of_lanes);
    for (std::size_t i = 0; i < 3; ++i) pixels[i] = load_wide(of_pixel[i]);
    for (std::size_t g = 0; g < kTogether; ++g) {
      first[g] = load_wide(of_first[g]);
      second[g] = load_wide(of_second[g]);
    }
  }

  void pack(const std::uint8_t* bytes, std::size_t blocks, std::uint8_t* nibbles) const {
    of_bytes.pack(bytes, blocks, nibbles);
  }

  void keep(const std::uint8_t* nibbles, std::size_t blocks, std::uint32_t* kept, Row& row) const {
    constexpr short kStep = kPanelsOfBlock * kPanel;
    // The fourth byte of a lane is none of its group.
    constexpr __mmask64 kThree = 0x7777777777777777;
    const __m512i nibble = _mm512_set1_epi8(15);
    __m512i total = _mm512_setzero_si512();
    __m256i offsets = _mm256_mullo_epi16(
        _mm256_setr_epi16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
        _mm256_set1_epi16(kStep));
    const std::size_t bytes = blocks * kBlock / 2;
    std::size_t count = 0;
    for (std::size_t byte = 0; byte < bytes; byte += kBytesRead) {
      const __m512i x = load_bytes(nibbles + byte, smaller(bytes - byte, kBytesRead));
      const __m512i even = _mm512_and_si512(x, nibble);
      const __m512i odd = _mm512_and_si512(_mm512_srli_epi16(x, 4), nibble);
      total = _mm512_add_epi64(total, _mm512_sad_epu8(_mm512_add_epi8(even, odd),
                                                      _mm512_setzero_si512()));
      const __m512i groups = _mm512_maskz_permutexvar_epi8(kThree, lanes, x);
      const __mmask16 which = _mm512_test_epi32_mask(groups, groups);
      // To a register first: compressing to memory is slow on Zen 4.
      _mm512_storeu_si512(kept + count, _mm512_maskz_compress_epi32(which, groups));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(row.offsets + count),
                          _mm256_maskz_compress_epi16(which, offsets));
      count += static_cast<std::size_t>(__builtin_popcount(which));
      offsets = _mm256_add_epi16(offsets, _mm256_set1_epi16(kGroupsRead * kStep));
    }
    _mm512_storeu_si512(kept + count, _mm512_setzero_si512());
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(row.offsets + count), _mm256_setzero_si256());
    row.count = (count + kTogether - 1) / kTogether * kTogether;
    row.sum = static_cast<int>(_mm512_reduce_add_epi64(total));
  }

  void make(const std::uint32_t* kept, const Row& row) const {
    // Of a half's eight sums, those that its first pixel is part of, its second and its third.
    constexpr __mmask64 kFirst = 0xAAAAAAAAAAAAAAAA, kSecond = 0xCCCCCCCCCCCCCCCC,
                        kThird = 0xF0F0F0F0F0F0F0F0;
    const __m128i nibble = _mm_set1_epi8(15);
    for (std::size_t group = 0; group < row.count; group += kTogether) {
      const __m128i x = _mm_load_si128(reinterpret_cast<const __m128i*>(kept + group));
      const __m512i nibbles = _mm512_castsi256_si512(_mm256_set_m128i(
          _mm_and_si128(_mm_srli_epi16(x, 4), nibble), _mm_and_si128(x, nibble)));
      const __m512i sums = _mm512_add_epi8(
          _mm512_add_epi8(_mm512_maskz_permutexvar_epi8(kFirst, pixels[0], nibbles),
                          _mm512_maskz_permutexvar_epi8(kSecond, pixels[1], nibbles)),
          _mm512_maskz_permutexvar_epi8(kThird, pixels[2], nibbles));
      std::uint8_t* to = row.tables + group * kTable;
      for (std::size_t g = 0; g < kTogether; ++g) {
        _mm512_store_si512(to + g * kTable,
                           _mm512_add_epi8(_mm512_permutexvar_epi8(first[g], sums),
                                           _mm512_permutexvar_epi8(second[g], sums)));
      }
    }
  }

  void multiply(const Row& row, const std::uint8_t* block, std::size_t panels,
                const BlockTarget& to) const {
    multiply_row<kGroupsUntilWide, kTable>(
        row, block, panels, to, [](const std::uint8_t* table) { return load_wide(table); });
  }
};

}  // namespace
}  // namespace kernels::pixels
