// Pixels by bits with AVX-512: a table of the 64 partial sums of six pixels, looked up for 64 outputs
// at once, for every group of six that is not all 0.
//
// Per pixel that is fewer lookups than with tables of 16, and as much fewer additions and loads. What
// binds is the vector pipes together with the loads, which are as many as half of the lookups and
// additions; tables of 128 would be loads for the most part.
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

#include "../avx2/pixel_rows.hpp"
#include "common.hpp"

namespace kernels::pixels {
namespace {

// Partial sums are at most 90: those of two groups fit a byte.
constexpr std::size_t kGroupsUntilWide = 2;
// Groups that tables are made of at once; a row's are filled up to a multiple.
constexpr std::size_t kTogether = 4;

// 16 groups of six at a time: three bytes of nibbles each.
constexpr std::size_t kGroupsRead = 16;
constexpr std::size_t kBytesRead = 3 * kGroupsRead;
static_assert(kGroupsRead <= kSlack);

// `Wide` for two panels.
struct TwoWide {
  __m512i both = _mm512_setzero_si512();
  __m512i odd = _mm512_setzero_si512();

  void add(__m512i bytes) {
    both = held(_mm512_add_epi16(both, bytes));
    odd = held(_mm512_add_epi16(odd, _mm512_srli_epi16(bytes, 8)));
  }

  // The 32 counts of each panel in order.
  void in_order(__m512i& first, __m512i& second) const {
    const __m512i even = _mm512_sub_epi16(both, _mm512_slli_epi16(odd, 8));
    const __m512i low = _mm512_unpacklo_epi16(even, odd);
    const __m512i high = _mm512_unpackhi_epi16(even, odd);
    const __m512i of_first = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11);
    const __m512i of_second = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
    first = _mm512_permutex2var_epi64(low, of_first, high);
    second = _mm512_permutex2var_epi64(low, of_second, high);
  }
};

// base + 2 count for the 32 outputs of a panel, written or added to what is there.
void write_counts(Output out, std::size_t m, std::size_t panel, __m512i counts, int base,
                  bool add) {
  const std::size_t at = m * out.row_stride + panel * out.panel_stride;
  if (out.wide) {
    for (std::size_t i = 0; i < 2; ++i) {
      const __m256i half = i == 0 ? _mm512_castsi512_si256(counts)
                                  : _mm512_extracti64x4_epi64(counts, 1);
      const __m512i twice = _mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 1);
      write_sums(out, at + i * 16, _mm512_add_epi32(twice, _mm512_set1_epi32(base)), add);
    }
    return;
  }
  auto* p = static_cast<std::int16_t*>(out.data) + at;
  __m512i x = _mm512_add_epi16(_mm512_slli_epi16(counts, 1),
                               _mm512_set1_epi16(static_cast<short>(base)));
  if (add) x = _mm512_add_epi16(x, load_wide(p));
  _mm512_storeu_si512(p, x);
}

struct PixelForm {
  static constexpr std::size_t kGroup = 6, kTable = 64, kMaxGroups = 192;
  using Kept = std::uint32_t;

  // Three bytes to each of 16 lanes.
  __m512i lanes;
  // Of four groups' nibbles, the lower ones in the first 16 bytes and the upper ones in the next:
  // where the three pixels of each half of a group lie.
  __m512i pixels[3];
  // Of four groups' halves, eight sums each: those that the entries of a group's table add.
  __m512i first[kTogether], second[kTogether];
  __m512i levels_of[4];

  explicit PixelForm(const Levels* of_pixels) {
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
    if (of_pixels == nullptr) return;
    for (std::size_t i = 0; i < 4; ++i) levels_of[i] = load_wide(of_pixels->of + i * kRegister);
  }

  __m256i levels(__m256i bytes) const {
    // Each half of the 256 entries is looked up by the lower seven bits; the top bit chooses.
    const __m512i x = _mm512_castsi256_si512(bytes);
    const __m512i low = _mm512_permutex2var_epi8(levels_of[0], x, levels_of[1]);
    const __m512i high = _mm512_permutex2var_epi8(levels_of[2], x, levels_of[3]);
    return _mm512_castsi512_si256(_mm512_mask_blend_epi8(_mm512_movepi8_mask(x), low, high));
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
    constexpr std::size_t kRegisters = kPanelsOfBlock / 2;
    TwoWide sums[kRegisters];
#pragma GCC unroll 1
    for (std::size_t g = 0; g < row.count; g += kGroupsUntilWide) {
      const std::uint8_t* tables = row.tables + g * kTable;
      const __m512i table[] = {held(load_wide(tables)), held(load_wide(tables + kTable))};
      const std::uint8_t* at[] = {block + row.offsets[g], block + row.offsets[g + 1]};
#pragma GCC unroll 2
      for (std::size_t v = 0; v < kRegisters; ++v) {
        const auto entry = [&](std::size_t i) {
          return _mm512_permutexvar_epi8(load_wide(at[i] + v * kRegister), table[i]);
        };
        sums[v].add(_mm512_add_epi8(entry(0), entry(1)));
      }
    }
    for (std::size_t v = 0; v < kRegisters; ++v) {
      __m512i counts[2];
      sums[v].in_order(counts[0], counts[1]);
      for (std::size_t i = 0; i < 2 && 2 * v + i < panels; ++i) {
        // 2 sum x t - sum x, where bit t of b stands for 2 t - 1.
        write_counts(to.out, to.row, to.panel + 2 * v + i, counts[i], -row.sum, to.add);
      }
    }
  }
};

void pixels_by_bits(IntRows x, std::size_t elements, GroupOperand b, Output out,
                    products::Range range) {
  multiply_pixels(x, elements, b, out, range, PixelForm{x.levels});
}

}  // namespace
}  // namespace kernels::pixels
