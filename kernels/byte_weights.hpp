// Latent weights of a byte, in units of 1/127: their bits, and a change rounded stochastically.
//
// All of it has internal linkage, as in vectors.hpp.
#pragma once

#include "layout.hpp"
#include "random.hpp"

namespace kernels {
namespace {

inline constexpr std::int32_t kMaxByte = 127;
// A change is in 1/256 of a unit.
inline constexpr int kFractionBits = 8;

using HalfInts = std::int16_t __attribute__((vector_size(4 * kLanes)));
// Of a panel of 32 columns.
inline constexpr std::size_t kHalfGroups = kPanel / (2 * kLanes);

// 8 random bits for every element of rows 16 group to 16 group + 15 of a panel of 32 columns. Four
// rows draw their own: column c of row r takes byte r % 2 of 16-bit word 32 (r / 2) + c. The others
// take the numbers of one of these rows, shifted by a quarter, half or three quarters of their
// range. Each is uniform, which rounding needs, and those of a row are independent of one another.
class RandomBytes {
 public:
  static constexpr std::size_t kRows = 16;

  void draw(Draw draw, std::size_t group, std::size_t panel) {
    random_ = philox(static_cast<std::uint32_t>(group * kCounters),
                     static_cast<std::uint32_t>(panel), draw.step, draw.seed, draw.purpose);
  }

  // For vector v of a row, uniform in 0..255.
  HalfInts bytes(std::size_t row, std::size_t v) const {
    constexpr std::size_t kDrawn = 4;
    const std::size_t r = row % kDrawn;
    using Octets = std::uint8_t __attribute__((vector_size(4 * kLanes)));
    const auto shift = static_cast<std::uint8_t>(row / kDrawn * (256 / kDrawn));
    const Octets shifted =
        reinterpret_cast<Octets>(random_.word[r / 2 * kHalfGroups + v]) + (Octets{} + shift);
    using HalfWords = std::uint16_t __attribute__((vector_size(4 * kLanes)));
    const auto halves = reinterpret_cast<HalfWords>(shifted);
    return reinterpret_cast<HalfInts>(r % 2 == 0 ? halves & (HalfWords{} + 0xFF) : halves >> 8);
  }

 private:
  Random random_;
};

// Numbers that fit 16 bits, in their order.
inline HalfInts halves_of(Ints a, Ints b) {
#if defined(__AVX512F__)
  const __m512i even = _mm512_set_epi16(62, 60, 58, 56, 54, 52, 50, 48, 46, 44, 42, 40, 38, 36, 34,
                                        32, 30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2,
                                        0);
  return reinterpret_cast<HalfInts>(_mm512_permutex2var_epi16(
      reinterpret_cast<__m512i>(a), even, reinterpret_cast<__m512i>(b)));
#elif defined(__AVX2__)
  const __m256i packed =
      _mm256_packs_epi32(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b));
  return reinterpret_cast<HalfInts>(_mm256_permute4x64_epi64(packed, 0xD8));
#elif defined(BINARY_KERNELS_NEON)
  return reinterpret_cast<HalfInts>(vcombine_s16(vmovn_s32(reinterpret_cast<int32x4_t>(a)),
                                                 vmovn_s32(reinterpret_cast<int32x4_t>(b))));
#else
  HalfInts both;
  for (std::size_t i = 0; i < kLanes; ++i) {
    both[i] = static_cast<std::int16_t>(a[i]);
    both[kLanes + i] = static_cast<std::int16_t>(b[i]);
  }
  return both;
#endif
}

// Add what fits a byte to 32 bytes, and limit the sums to -127..127.
inline void add_limited(std::int8_t* bytes, const HalfInts (&steps)[kHalfGroups]) {
#if defined(__AVX2__)
#if defined(__AVX512F__)
  const __m256i packed = _mm512_cvtepi16_epi8(reinterpret_cast<__m512i>(steps[0]));
#else
  const __m256i packed = _mm256_permute4x64_epi64(
      _mm256_packs_epi16(reinterpret_cast<__m256i>(steps[0]), reinterpret_cast<__m256i>(steps[1])),
      0xD8);
#endif
  const __m256i sums = _mm256_adds_epi8(read<__m256i>(bytes), packed);
  store(bytes, _mm256_max_epi8(sums, _mm256_set1_epi8(-kMaxByte)));
#elif defined(BINARY_KERNELS_NEON)
  for (std::size_t half = 0; half < 2; ++half) {
    const auto narrow = [&](std::size_t v) {
      return vmovn_s16(reinterpret_cast<int16x8_t>(steps[v]));
    };
    const int8x16_t packed = vcombine_s8(narrow(2 * half), narrow(2 * half + 1));
    const int8x16_t sums = vqaddq_s8(vld1q_s8(bytes + 16 * half), packed);
    vst1q_s8(bytes + 16 * half, vmaxq_s8(sums, vdupq_n_s8(-kMaxByte)));
  }
#else
  for (std::size_t i = 0; i < kPanel; ++i) {
    const int sum = bytes[i] + steps[i / (2 * kLanes)][i % (2 * kLanes)];
    const int below = sum < kMaxByte ? sum : kMaxByte;
    bytes[i] = static_cast<std::int8_t>(below > -kMaxByte ? below : -kMaxByte);
  }
#endif
}

// Subtract a change of at most 127 units, in 1/256 of a unit, from 32 weights of a row of the 16
// that `random` is for.
inline void move_bytes(std::int8_t* weights, const Ints (&change)[kPanel / kLanes],
                       const RandomBytes& random, std::size_t row) {
  HalfInts steps[kHalfGroups];
#pragma GCC unroll 4
  for (std::size_t v = 0; v < kHalfGroups; ++v) {
    const HalfInts halves = halves_of(change[2 * v], change[2 * v + 1]);
    steps[v] = (random.bytes(row, v) - halves) >> kFractionBits;
  }
  add_limited(weights, steps);
}

// Bit i is set where weight i of 32 is at least 0.
inline std::uint32_t signs_of(const std::int8_t* weights) {
#if defined(__AVX2__)
  return ~static_cast<std::uint32_t>(_mm256_movemask_epi8(read<__m256i>(weights)));
#else
  std::uint32_t bits = 0;
  for (std::size_t i = 0; i < kPanel; ++i) bits |= (weights[i] >= 0 ? 1U : 0U) << i;
  return bits;
#endif
}

inline std::uint32_t signs_of(const std::int16_t* weights) {
#if defined(__AVX512F__)
  return ~_mm512_movepi16_mask(read<__m512i>(weights));
#elif defined(__AVX2__)
  const __m256i packed = _mm256_packs_epi16(read<__m256i>(weights), read<__m256i>(weights + 16));
  return ~static_cast<std::uint32_t>(
      _mm256_movemask_epi8(_mm256_permute4x64_epi64(packed, 0xD8)));
#else
  std::uint32_t bits = 0;
  for (std::size_t i = 0; i < kPanel; ++i) bits |= (weights[i] >= 0 ? 1U : 0U) << i;
  return bits;
#endif
}

}  // namespace
}  // namespace kernels
