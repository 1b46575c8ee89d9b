// Vectors of eight numbers, in the compiler's own vector types: kernels that are written once
// over them compile to any instruction set, and compute the same to the last bit on all, because
// every operation is one of IEEE 754 or of integers and none is fused or reordered.
//
// All of it has internal linkage: each instruction set's file gets its own copy.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace kernels {
namespace {

inline constexpr std::size_t kLanes = 8;

using F8 = float __attribute__((vector_size(32)));
using I8 = std::int32_t __attribute__((vector_size(32)));
using U8 = std::uint32_t __attribute__((vector_size(32)));
using D8 = double __attribute__((vector_size(64)));
using S8 = std::int16_t __attribute__((vector_size(16)));
using H8 = std::uint16_t __attribute__((vector_size(16)));
using C8 = std::uint8_t __attribute__((vector_size(8)));
using B8 = std::int8_t __attribute__((vector_size(8)));

template <typename V>
inline V read(const void* p) {
  V v;
  __builtin_memcpy(&v, p, sizeof(v));
  return v;
}

template <typename V>
inline void store(void* p, V v) {
  __builtin_memcpy(p, &v, sizeof(v));
}

inline F8 all(float x) { return F8{x, x, x, x, x, x, x, x}; }
inline U8 all_bits(std::uint32_t x) { return U8{x, x, x, x, x, x, x, x}; }

inline F8 to_float(I8 v) { return __builtin_convertvector(v, F8); }
inline I8 to_int(F8 v) { return __builtin_convertvector(v, I8); }
inline D8 to_double(F8 v) { return __builtin_convertvector(v, D8); }

// Eight sums, whichever type holds them.
#if defined(__AVX2__)
// Compilers widen the halves of a register one by one.
inline I8 read_ints(const std::int16_t* p) {
  return reinterpret_cast<I8>(_mm256_cvtepi16_epi32(read<__m128i>(p)));
}
inline U8 read_ints(const std::uint16_t* p) {
  return reinterpret_cast<U8>(_mm256_cvtepu16_epi32(read<__m128i>(p)));
}
inline U8 read_ints(const std::uint8_t* p) {
  return reinterpret_cast<U8>(_mm256_cvtepu8_epi32(_mm_cvtsi64_si128(read<long long>(p))));
}
#else
inline U8 read_ints(const std::uint8_t* p) { return __builtin_convertvector(read<C8>(p), U8); }
inline I8 read_ints(const std::int16_t* p) { return __builtin_convertvector(read<S8>(p), I8); }
inline U8 read_ints(const std::uint16_t* p) { return __builtin_convertvector(read<H8>(p), U8); }
#endif
inline I8 read_ints(const std::int32_t* p) { return read<I8>(p); }
inline F8 read_floats(const std::int16_t* p) { return to_float(read_ints(p)); }
inline F8 read_floats(const std::int32_t* p) { return to_float(read_ints(p)); }
inline F8 read_floats(const float* p) { return read<F8>(p); }

inline F8 where(I8 mask, F8 yes, F8 no) { return mask ? yes : no; }
inline F8 absolute(F8 v) {
  return reinterpret_cast<F8>(reinterpret_cast<U8>(v) & all_bits(0x7FFFFFFF));
}
inline F8 larger(F8 a, F8 b) { return a > b ? a : b; }
inline F8 lesser(F8 a, F8 b) { return a < b ? a : b; }
inline F8 limited(F8 v, F8 most) { return larger(lesser(v, most), -most); }

inline F8 square_root(F8 v) {
  F8 root;
  for (std::size_t i = 0; i < kLanes; ++i) root[i] = __builtin_sqrtf(v[i]);
  return root;
}

// What the vector types do not say well: compilers take one number at a time for these. Values fit
// the narrower type.
#if defined(__AVX2__)
// Bit i is set where lane i of a comparison's result is.
inline unsigned bits_of(I8 mask) {
  return static_cast<unsigned>(_mm256_movemask_ps(reinterpret_cast<__m256>(mask)));
}

inline void store_int16(void* p, I8 v) {
  const auto x = reinterpret_cast<__m256i>(v);
  const __m128i packed = _mm_packs_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
  store(p, packed);
}

inline void store_uint16(void* p, U8 v) {
  const auto x = reinterpret_cast<__m256i>(v);
  store(p, _mm_packus_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1)));
}

inline void store_int8(void* p, I8 v) {
  const auto x = reinterpret_cast<__m256i>(v);
  const __m128i packed = _mm_packs_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
  _mm_storel_epi64(static_cast<__m128i*>(p), _mm_packs_epi16(packed, packed));
}

inline void store_uint8(void* p, U8 v) {
  const auto x = reinterpret_cast<__m256i>(v);
  const __m128i packed = _mm_packs_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
  _mm_storel_epi64(static_cast<__m128i*>(p), _mm_packus_epi16(packed, packed));
}
#else
inline unsigned bits_of(I8 mask) {
  unsigned bits = 0;
  for (unsigned i = 0; i < kLanes; ++i) bits |= (mask[i] != 0 ? 1U : 0U) << i;
  return bits;
}

inline void store_int16(void* p, I8 v) { store(p, __builtin_convertvector(v, S8)); }
inline void store_uint16(void* p, U8 v) { store(p, __builtin_convertvector(v, H8)); }
inline void store_int8(void* p, I8 v) { store(p, __builtin_convertvector(v, B8)); }
inline void store_uint8(void* p, U8 v) { store(p, __builtin_convertvector(v, C8)); }
#endif

}  // namespace
}  // namespace kernels
