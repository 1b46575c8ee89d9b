// What the AVX-512 files share. As in the AVX2 files, of which this takes what needs no wider
// register, all of it has internal linkage.
#pragma once

#include "../avx2/common.hpp"

namespace kernels {
namespace {

inline constexpr std::size_t kRegister = 64;
// Registers of 16 sums that a panel takes.
inline constexpr std::size_t kOfPanel = kPanel / 16;

// A value that is used several times, and therefore loaded once: GCC would load it for each use,
// and the two loads a cycle would bind.
inline __m512i held(__m512i x) {
  asm("" : "+v"(x));
  return x;
}

inline __m512i load_wide(const void* p) { return _mm512_loadu_si512(p); }

// The first `count` bytes (at most 64), 0 past them.
inline __m512i load_bytes(const void* p, std::size_t count) {
  return _mm512_maskz_loadu_epi8(count < kRegister ? (std::uint64_t{1} << count) - 1 : ~0ULL, p);
}

inline __m512i broadcast_word(const void* p) {
  int word;
  __builtin_memcpy(&word, p, sizeof(word));
  return _mm512_set1_epi32(word);
}

// Two registers hold four rows of 32 bytes. Byte j of 32-bit lane o is where byte first + o of a
// row begins, the row that starts at byte j of `starts`: four rows' bytes of 16 columns, side by
// side.
inline __m512i columns_of_four(int first, int starts = 0x60402000) {
  const __m512i lane =
      _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const __m512i column = _mm512_add_epi32(lane, _mm512_set1_epi32(first));
  return _mm512_add_epi8(_mm512_mullo_epi32(column, _mm512_set1_epi32(0x01010101)),
                         _mm512_set1_epi32(starts));
}

// Products of unsigned bytes a and signed bytes b, four of them added to each sum. Written out: for
// the intrinsic GCC copies every sum to another register and back.
inline void add_products(__m512i& sums, __m512i a, __m512i b) {
  asm("vpdpbusd %2, %1, %0" : "+v"(sums) : "v"(a), "v"(b));
}

// Sixteen sums to an output, int16 or int32, written or added to what is there.
inline void write_sums(Output out, std::size_t at, __m512i sums, bool add) {
  if (out.wide) {
    auto* p = static_cast<std::int32_t*>(out.data) + at;
    if (add) sums = _mm512_add_epi32(sums, _mm512_loadu_si512(p));
    _mm512_storeu_si512(p, sums);
    return;
  }
  auto* p = reinterpret_cast<__m256i*>(static_cast<std::int16_t*>(out.data) + at);
  __m256i narrow = _mm512_cvtepi32_epi16(sums);
  if (add) narrow = _mm256_add_epi16(narrow, _mm256_loadu_si256(p));
  _mm256_storeu_si256(p, narrow);
}

}  // namespace
}  // namespace kernels
