// What products of pixels by bits share, whatever the size of their groups: levels, and lookups for
// 64 outputs at once.
#pragma once

#include "../avx2/pixel_rows.hpp"
#include "common.hpp"

namespace kernels::pixels {
namespace {

// What bytes of pixels stand for.
struct LevelsOfBytes {
  __m512i entries[4];

  explicit LevelsOfBytes(const Levels* levels) {
    if (levels == nullptr) return;
    for (std::size_t i = 0; i < 4; ++i) entries[i] = load_wide(levels->of + i * kRegister);
  }

  void pack(const std::uint8_t* bytes, std::size_t blocks, std::uint8_t* nibbles) const {
    const __m512i places = _mm512_set1_epi16(0x1001);
    const std::size_t count = blocks * kBlock;
    for (std::size_t i = 0; i < count; i += kRegister) {
      const std::size_t left = smaller(count - i, kRegister);
      const __m512i x = load_bytes(bytes + i, left);
      // Each half of the 256 entries is looked up by the lower seven bits; the top bit chooses.
      const __m512i low = _mm512_permutex2var_epi8(entries[0], x, entries[1]);
      const __m512i high = _mm512_permutex2var_epi8(entries[2], x, entries[3]);
      const __m512i levels = _mm512_mask_blend_epi8(_mm512_movepi8_mask(x), low, high);
      const __m256i packed = _mm512_cvtepi16_epi8(_mm512_maddubs_epi16(levels, places));
      auto* to = reinterpret_cast<__m128i*>(nibbles + i / 2);
      _mm_store_si128(to, _mm256_castsi256_si128(packed));
      if (left == kRegister) _mm_store_si128(to + 1, _mm256_extracti128_si256(packed, 1));
    }
  }
};

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

// A row's sums by the first `panels` panels of a block. `Together` groups' partial sums fit a byte.
// table_at: a group's table from where it lies.
template <std::size_t Together, std::size_t TableBytes, typename TableAt>
void multiply_row(const Row& row, const std::uint8_t* block, std::size_t panels,
                  const BlockTarget& to, TableAt table_at) {
  constexpr std::size_t kRegisters = kPanelsOfBlock / 2;
  TwoWide sums[kRegisters];
#pragma GCC unroll 1
  for (std::size_t g = 0; g < row.count; g += Together) {
    __m512i table[Together];
    const std::uint8_t* at[Together];
#pragma GCC unroll 4
    for (std::size_t i = 0; i < Together; ++i) {
      table[i] = held(table_at(row.tables + (g + i) * TableBytes));
      at[i] = block + row.offsets[g + i];
    }
#pragma GCC unroll 2
    for (std::size_t v = 0; v < kRegisters; ++v) {
      __m512i entries[Together];
#pragma GCC unroll 4
      for (std::size_t i = 0; i < Together; ++i) {
        const __m512i index = load_wide(at[i] + v * kRegister);
        // A table of 16 lies in every quarter of the register.
        entries[i] = TableBytes == kRegister ? _mm512_permutexvar_epi8(index, table[i])
                                             : _mm512_shuffle_epi8(table[i], index);
      }
      __m512i sum = _mm512_add_epi8(entries[0], entries[1]);
      if constexpr (Together == 4) {
        sum = _mm512_add_epi8(sum, _mm512_add_epi8(entries[2], entries[3]));
      }
      sums[v].add(sum);
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

}  // namespace
}  // namespace kernels::pixels
