// Random numbers from a counter, not a stream: the number of an element depends on the seed, the
// step, the purpose and the element alone, so threads and instruction sets do not change it.
//
// Philox4x32-7 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3",
// SC 2011), for eight counters.
#pragma once

#include "vectors.hpp"

namespace kernels {

// What the numbers are drawn for: the key is (seed, purpose), the counter ends with the step.
struct Draw {
  std::uint32_t seed;
  std::uint32_t purpose;
  std::uint32_t step;
};

namespace {

// The numbers are laid out for vectors of eight: counter 8 n + i has the words of lane i.
inline constexpr std::size_t kCounters = 8;
inline constexpr std::size_t kWords = 4;
inline constexpr std::size_t kVectors = kCounters * kWords / kLanes;

// Of eight counters: those of word 0, then of word 1.
struct Random {
  Words word[kVectors];
};

// What a round multiplies with, and what it adds to the key.
inline constexpr std::uint32_t kFactor0 = 0xD2511F53U, kFactor2 = 0xCD9E8D57U;
inline constexpr std::uint32_t kWeyl0 = 0x9E3779B9U, kWeyl1 = 0xBB67AE85U;
// The fewest rounds that pass BigCrush (table 2 of the paper).
inline constexpr int kRounds = 7;

#if defined(BINARY_KERNELS_NEON)
// Four counters, a register a word: products come in two halves, whose lower words and upper words
// one instruction each picks.
struct Philox {
  uint32x4_t counter[kWords];

  void run(std::uint32_t k0, std::uint32_t k1) {
#pragma GCC unroll 7
    for (int round = 0; round < kRounds; ++round) {
      const uint32x4_t c0 = counter[0], c2 = counter[2];
      const auto low = [](uint32x4_t a, std::uint32_t b) {
        return vreinterpretq_u32_u64(vmull_n_u32(vget_low_u32(a), b));
      };
      const auto high = [](uint32x4_t a, std::uint32_t b) {
        return vreinterpretq_u32_u64(vmull_high_n_u32(a, b));
      };
      const uint32x4_t p0 = low(c0, kFactor0), q0 = high(c0, kFactor0);
      const uint32x4_t p2 = low(c2, kFactor2), q2 = high(c2, kFactor2);
      counter[0] = vuzp2q_u32(p2, q2) ^ counter[1] ^ vdupq_n_u32(k0);
      counter[1] = vuzp1q_u32(p2, q2);
      counter[2] = vuzp2q_u32(p0, q0) ^ counter[3] ^ vdupq_n_u32(k1);
      counter[3] = vuzp1q_u32(p0, q0);
      k0 += kWeyl0;
      k1 += kWeyl1;
    }
  }
};

// The four words of counters (first + i, c1, c2, 0), i in 0..7.
inline Random philox(std::uint32_t first, std::uint32_t c1, std::uint32_t c2, std::uint32_t k0,
                     std::uint32_t k1) {
  constexpr std::size_t kHalves = kCounters / kLanes;
  const uint32x4_t lanes = {0, 1, 2, 3};
  Random random;
  for (std::size_t half = 0; half < kHalves; ++half) {
    const uint32x4_t begin = vdupq_n_u32(first + static_cast<std::uint32_t>(half * kLanes));
    Philox state{{lanes + begin, vdupq_n_u32(c1), vdupq_n_u32(c2), vdupq_n_u32(0)}};
    state.run(k0, k1);
    for (std::size_t w = 0; w < kWords; ++w) {
      random.word[w * kHalves + half] = reinterpret_cast<Words>(state.counter[w]);
    }
  }
  return random;
}
#else
// 64-bit lanes, a counter each, of which the lower halves count: the upper ones hold what products
// leave.
#if defined(__AVX512F__)
inline constexpr std::size_t kCountersAtOnce = 8;
#else
inline constexpr std::size_t kCountersAtOnce = 4;
#endif
using Wide = std::uint64_t __attribute__((vector_size(8 * kCountersAtOnce)));

inline Wide product(Wide a, std::uint32_t b) {
#if defined(__AVX512F__)
  return reinterpret_cast<Wide>(
      _mm512_mul_epu32(reinterpret_cast<__m512i>(a), _mm512_set1_epi64(b)));
#elif defined(__AVX2__)
  return reinterpret_cast<Wide>(
      _mm256_mul_epu32(reinterpret_cast<__m256i>(a), _mm256_set1_epi64x(b)));
#else
  return (a & 0xFFFFFFFFU) * b;
#endif
}

inline Wide all_wide(std::uint32_t x) {
  Wide v;
  for (std::size_t i = 0; i < kCountersAtOnce; ++i) v[i] = x;
  return v;
}

struct Philox {
  Wide counter[kWords];

  void run(std::uint32_t k0, std::uint32_t k1) {
#pragma GCC unroll 7
    for (int round = 0; round < kRounds; ++round) {
      const Wide p0 = product(counter[0], kFactor0), p1 = product(counter[2], kFactor2);
      counter[0] = (p1 >> 32) ^ counter[1] ^ all_wide(k0);
      counter[1] = p1;
      counter[2] = (p0 >> 32) ^ counter[3] ^ all_wide(k1);
      counter[3] = p0;
      k0 += kWeyl0;
      k1 += kWeyl1;
    }
  }
};

// The four words of counters (first + i, c1, c2, 0), i in 0..7.
inline Random philox(std::uint32_t first, std::uint32_t c1, std::uint32_t c2, std::uint32_t k0,
                     std::uint32_t k1) {
  Random random;
#if defined(__AVX512F__)
  const Wide lanes = {0, 1, 2, 3, 4, 5, 6, 7};
  Philox state{{lanes + all_wide(first), all_wide(c1), all_wide(c2), all_wide(0)}};
  state.run(k0, k1);
  // The lower halves of two registers.
  const __m512i halves =
      _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  for (std::size_t v = 0; v < kVectors; ++v) {
    random.word[v] = reinterpret_cast<Words>(
        _mm512_permutex2var_epi32(reinterpret_cast<__m512i>(state.counter[2 * v]), halves,
                                  reinterpret_cast<__m512i>(state.counter[2 * v + 1])));
  }
#else
  const auto half = [&](std::uint64_t odd) {
    const Wide lanes = {odd, odd + 2, odd + 4, odd + 6};
    Philox state{{lanes + all_wide(first), all_wide(c1), all_wide(c2), all_wide(0)}};
    state.run(k0, k1);
    return state;
  };
  const Philox even = half(0), odd = half(1);
  for (std::size_t w = 0; w < kWords; ++w) {
    random.word[w] =
        reinterpret_cast<Words>((even.counter[w] & 0xFFFFFFFFU) | (odd.counter[w] << 32));
  }
#endif
  return random;
}
#endif

// 16 random bits for every element of two neighbouring rows, 2 pair and 2 pair + 1, of a panel of
// 32 columns. Column 8 w + i takes word w of counter 8 pair + i: its lower half in the even row,
// its upper half in the odd row.
class PairOfRows {
 public:
  static constexpr std::size_t kRows = 2;

  PairOfRows() : random_() {}
  PairOfRows(Draw draw, std::size_t pair, std::size_t panel)
      : random_(philox(static_cast<std::uint32_t>(pair * kCounters), static_cast<std::uint32_t>(panel),
                      draw.step, draw.seed, draw.purpose)) {}

  // For the columns of vector w, uniform in 0..65535.
  Words bits(std::size_t odd, std::size_t w) const {
    return odd != 0 ? random_.word[w] >> 16 : random_.word[w] & all_bits(0xFFFF);
  }

  // The same, uniform in (0, 1): the middles of 2^16 equal parts.
  Floats uniform(std::size_t odd, std::size_t w) const {
    return (to_float(reinterpret_cast<Ints>(bits(odd, w))) + all(0.5F)) * all(1.0F / 65536.0F);
  }

 private:
  Random random_;
};

}  // namespace
}  // namespace kernels
