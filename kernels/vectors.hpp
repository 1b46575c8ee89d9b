// Vectors of numbers in the compiler's own vector types, eight of them or, with NEON, four and with
// AVX-512 sixteen: kernels that are written once over them compile to any instruction set, and compute the same to
// the last bit on all, because every operation is one of IEEE 754 or of integers, none is fused or
// reordered, and a lane is a column whose sums no other lane adds to.
//
// All of it has internal linkage: each instruction set's file gets its own copy.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(BINARY_KERNELS_NEON)
#include <arm_neon.h>
#endif

namespace kernels {
namespace {

#if defined(__AVX512F__)
inline constexpr std::size_t kLanes = 16;
#elif defined(BINARY_KERNELS_NEON)
inline constexpr std::size_t kLanes = 4;
#else
inline constexpr std::size_t kLanes = 8;
#endif

using Floats = float __attribute__((vector_size(4 * kLanes)));
using Ints = std::int32_t __attribute__((vector_size(4 * kLanes)));
using Words = std::uint32_t __attribute__((vector_size(4 * kLanes)));
using Doubles = double __attribute__((vector_size(8 * kLanes)));
using Shorts = std::int16_t __attribute__((vector_size(2 * kLanes)));
using HalfWords = std::uint16_t __attribute__((vector_size(2 * kLanes)));
using Bytes = std::uint8_t __attribute__((vector_size(kLanes)));
using SignedBytes = std::int8_t __attribute__((vector_size(kLanes)));

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

template <typename V, typename T>
inline V in_all_lanes(T x) {
  // x less 0 is x, -0 included. Compilers know this as one broadcast, unlike a loop over lanes.
  return x - V{};
}
inline Floats all(float x) { return in_all_lanes<Floats>(x); }
inline Words all_bits(std::uint32_t x) { return in_all_lanes<Words>(x); }

inline Floats to_float(Ints v) { return __builtin_convertvector(v, Floats); }
inline Ints to_int(Floats v) { return __builtin_convertvector(v, Ints); }
inline Doubles to_double(Floats v) { return __builtin_convertvector(v, Doubles); }

// Sums, whichever type holds them. Compilers widen the halves of a register one by one.
#if defined(__AVX512F__)
inline Ints read_ints(const std::int16_t* p) {
  return reinterpret_cast<Ints>(_mm512_cvtepi16_epi32(read<__m256i>(p)));
}
inline Words read_ints(const std::uint16_t* p) {
  return reinterpret_cast<Words>(_mm512_cvtepu16_epi32(read<__m256i>(p)));
}
inline Words read_ints(const std::uint8_t* p) {
  return reinterpret_cast<Words>(_mm512_cvtepu8_epi32(read<__m128i>(p)));
}
inline Ints read_ints(const std::int8_t* p) {
  return reinterpret_cast<Ints>(_mm512_cvtepi8_epi32(read<__m128i>(p)));
}
#elif defined(__AVX2__)
inline Ints read_ints(const std::int16_t* p) {
  return reinterpret_cast<Ints>(_mm256_cvtepi16_epi32(read<__m128i>(p)));
}
inline Words read_ints(const std::uint16_t* p) {
  return reinterpret_cast<Words>(_mm256_cvtepu16_epi32(read<__m128i>(p)));
}
inline Words read_ints(const std::uint8_t* p) {
  return reinterpret_cast<Words>(_mm256_cvtepu8_epi32(_mm_cvtsi64_si128(read<long long>(p))));
}
inline Ints read_ints(const std::int8_t* p) {
  return reinterpret_cast<Ints>(_mm256_cvtepi8_epi32(_mm_cvtsi64_si128(read<long long>(p))));
}
#elif defined(BINARY_KERNELS_NEON)
inline Ints read_ints(const std::int16_t* p) {
  return reinterpret_cast<Ints>(vmovl_s16(read<int16x4_t>(p)));
}
inline Words read_ints(const std::uint16_t* p) {
  return reinterpret_cast<Words>(vmovl_u16(read<uint16x4_t>(p)));
}
inline Words read_ints(const std::uint8_t* p) {
  const uint16x8_t wide = vmovl_u8(vcreate_u8(read<std::uint32_t>(p)));
  return reinterpret_cast<Words>(vmovl_u16(vget_low_u16(wide)));
}
inline Ints read_ints(const std::int8_t* p) {
  const int16x8_t wide = vmovl_s8(vcreate_s8(read<std::uint32_t>(p)));
  return reinterpret_cast<Ints>(vmovl_s16(vget_low_s16(wide)));
}
#else
inline Words read_ints(const std::uint8_t* p) {
  return __builtin_convertvector(read<Bytes>(p), Words);
}
inline Ints read_ints(const std::int8_t* p) {
  return __builtin_convertvector(read<SignedBytes>(p), Ints);
}
inline Ints read_ints(const std::int16_t* p) {
  return __builtin_convertvector(read<Shorts>(p), Ints);
}
inline Words read_ints(const std::uint16_t* p) {
  return __builtin_convertvector(read<HalfWords>(p), Words);
}
#endif
inline Ints read_ints(const std::int32_t* p) { return read<Ints>(p); }
inline Floats read_floats(const std::int16_t* p) { return to_float(read_ints(p)); }
inline Floats read_floats(const std::int32_t* p) { return to_float(read_ints(p)); }
inline Floats read_floats(const float* p) { return read<Floats>(p); }

inline Floats where(Ints mask, Floats yes, Floats no) { return mask ? yes : no; }
inline Floats absolute(Floats v) {
  return reinterpret_cast<Floats>(reinterpret_cast<Words>(v) & all_bits(0x7FFFFFFF));
}
// a > b ? a : b and a < b ? a : b, for which GCC would compare, and then choose.
#if defined(__AVX512F__)
inline Floats larger(Floats a, Floats b) {
  return reinterpret_cast<Floats>(
      _mm512_max_ps(reinterpret_cast<__m512>(a), reinterpret_cast<__m512>(b)));
}
inline Floats lesser(Floats a, Floats b) {
  return reinterpret_cast<Floats>(
      _mm512_min_ps(reinterpret_cast<__m512>(a), reinterpret_cast<__m512>(b)));
}
#elif defined(__AVX2__)
inline Floats larger(Floats a, Floats b) {
  return reinterpret_cast<Floats>(
      _mm256_max_ps(reinterpret_cast<__m256>(a), reinterpret_cast<__m256>(b)));
}
inline Floats lesser(Floats a, Floats b) {
  return reinterpret_cast<Floats>(
      _mm256_min_ps(reinterpret_cast<__m256>(a), reinterpret_cast<__m256>(b)));
}
#else
inline Floats larger(Floats a, Floats b) { return a > b ? a : b; }
inline Floats lesser(Floats a, Floats b) { return a < b ? a : b; }
#endif
inline Floats limited(Floats v, Floats max) { return larger(lesser(v, max), -max); }

inline Floats square_root(Floats v) {
#if defined(__AVX512F__)
  return reinterpret_cast<Floats>(_mm512_sqrt_ps(reinterpret_cast<__m512>(v)));
#elif defined(BINARY_KERNELS_NEON)
  return reinterpret_cast<Floats>(vsqrtq_f32(reinterpret_cast<float32x4_t>(v)));
#else
  Floats root;
  for (std::size_t i = 0; i < kLanes; ++i) root[i] = __builtin_sqrtf(v[i]);
  return root;
#endif
}

// What the vector types do not say well: compilers take one number at a time for these. Values fit
// the narrower type.
#if defined(__AVX512F__)
// Bit i is set where lane i of a is at least that of b, or larger. For the comparison itself GCC
// would make a register of lanes, and compare that.
inline unsigned at_least(Floats a, Floats b) {
  return _mm512_cmp_ps_mask(reinterpret_cast<__m512>(a), reinterpret_cast<__m512>(b), _CMP_GE_OQ);
}
inline unsigned above(Floats a, Floats b) {
  return _mm512_cmp_ps_mask(reinterpret_cast<__m512>(a), reinterpret_cast<__m512>(b), _CMP_GT_OQ);
}

inline void store_int16(void* p, Ints v) {
  store(p, _mm512_cvtepi32_epi16(reinterpret_cast<__m512i>(v)));
}

inline void store_uint16(void* p, Words v) { store_int16(p, reinterpret_cast<Ints>(v)); }

inline void store_int8(void* p, Ints v) {
  store(p, _mm512_cvtepi32_epi8(reinterpret_cast<__m512i>(v)));
}

inline void store_uint8(void* p, Words v) { store_int8(p, reinterpret_cast<Ints>(v)); }
#elif defined(__AVX2__)
inline unsigned bits_of(Ints mask) {
  return static_cast<unsigned>(_mm256_movemask_ps(reinterpret_cast<__m256>(mask)));
}

inline unsigned at_least(Floats a, Floats b) { return bits_of(a >= b); }
inline unsigned above(Floats a, Floats b) { return bits_of(a > b); }

inline void store_int16(void* p, Ints v) {
  const auto x = reinterpret_cast<__m256i>(v);
  const __m128i packed = _mm_packs_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
  store(p, packed);
}

inline void store_uint16(void* p, Words v) {
  const auto x = reinterpret_cast<__m256i>(v);
  store(p, _mm_packus_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1)));
}

inline void store_int8(void* p, Ints v) {
  const auto x = reinterpret_cast<__m256i>(v);
  const __m128i packed = _mm_packs_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
  _mm_storel_epi64(static_cast<__m128i*>(p), _mm_packs_epi16(packed, packed));
}

inline void store_uint8(void* p, Words v) {
  const auto x = reinterpret_cast<__m256i>(v);
  const __m128i packed = _mm_packs_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
  _mm_storel_epi64(static_cast<__m128i*>(p), _mm_packus_epi16(packed, packed));
}
#elif defined(BINARY_KERNELS_NEON)
inline unsigned bits_of(Ints mask) {
  const Words places = {1, 2, 4, 8};
  return vaddvq_u32(reinterpret_cast<uint32x4_t>(reinterpret_cast<Words>(mask) & places));
}

inline unsigned at_least(Floats a, Floats b) { return bits_of(a >= b); }
inline unsigned above(Floats a, Floats b) { return bits_of(a > b); }

inline void store_uint16(void* p, Words v) {
  store(p, vmovn_u32(reinterpret_cast<uint32x4_t>(v)));
}

inline void store_int16(void* p, Ints v) { store_uint16(p, reinterpret_cast<Words>(v)); }

inline void store_uint8(void* p, Words v) {
  const uint16x4_t half = vmovn_u32(reinterpret_cast<uint32x4_t>(v));
  const uint8x8_t bytes = vmovn_u16(vcombine_u16(half, half));
  store(p, vget_lane_u32(vreinterpret_u32_u8(bytes), 0));
}

inline void store_int8(void* p, Ints v) { store_uint8(p, reinterpret_cast<Words>(v)); }
#else
inline unsigned bits_of(Ints mask) {
  unsigned bits = 0;
  for (unsigned i = 0; i < kLanes; ++i) bits |= (mask[i] != 0 ? 1U : 0U) << i;
  return bits;
}

inline unsigned at_least(Floats a, Floats b) { return bits_of(a >= b); }
inline unsigned above(Floats a, Floats b) { return bits_of(a > b); }

inline void store_int16(void* p, Ints v) { store(p, __builtin_convertvector(v, Shorts)); }
inline void store_uint16(void* p, Words v) { store(p, __builtin_convertvector(v, HalfWords)); }
inline void store_int8(void* p, Ints v) { store(p, __builtin_convertvector(v, SignedBytes)); }
inline void store_uint8(void* p, Words v) { store(p, __builtin_convertvector(v, Bytes)); }
#endif

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the first bits of a word are its first byte");

// The first `count` bits, at most 32, of the bytes that have them.
inline std::uint32_t get_bits(const std::uint8_t* from, std::size_t count) {
  std::uint32_t bits = 0;
  __builtin_memcpy(&bits, from, (count + 7) / 8);
  return bits;
}

// The lowest `count` bits of `bits`, at most 32, to the bytes that they take.
inline void put_bits(std::uint8_t* to, std::uint32_t bits, std::size_t count) {
  // A copy of a fixed size is one instruction.
  if (count == 32) {
    __builtin_memcpy(to, &bits, 4);
    return;
  }
  bits &= (1U << count) - 1;
  __builtin_memcpy(to, &bits, (count + 7) / 8);
}

}  // namespace
}  // namespace kernels
