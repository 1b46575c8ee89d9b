// Random numbers from a counter, not a stream: the number of an element depends on the seed, the
// step, the purpose and the element alone, so threads and instruction sets do not change it.
//
// Philox4x32-7 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3",
// SC 2011), eight counters at once.
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

// Four 64-bit lanes, of which the lower halves count: the upper ones hold what products leave.
using W4 = std::uint64_t __attribute__((vector_size(32)));

inline W4 product(W4 a, std::uint32_t b) {
#if defined(__AVX2__)
  return reinterpret_cast<W4>(
      _mm256_mul_epu32(reinterpret_cast<__m256i>(a), _mm256_set1_epi64x(b)));
#else
  return (a & 0xFFFFFFFFU) * b;
#endif
}

inline W4 all_wide(std::uint32_t x) { return W4{x, x, x, x}; }

// Seven rounds: the fewest that pass BigCrush (table 2 of the paper).
struct Philox {
  static constexpr int kRounds = 7;
  W4 counter[4];

  void run(std::uint32_t k0, std::uint32_t k1) {
#pragma GCC unroll 7
    for (int round = 0; round < kRounds; ++round) {
      const W4 p0 = product(counter[0], 0xD2511F53U), p1 = product(counter[2], 0xCD9E8D57U);
      counter[0] = (p1 >> 32) ^ counter[1] ^ all_wide(k0);
      counter[1] = p1;
      counter[2] = (p0 >> 32) ^ counter[3] ^ all_wide(k1);
      counter[3] = p0;
      k0 += 0x9E3779B9U;
      k1 += 0xBB67AE85U;
    }
  }
};

struct Words {
  U8 word[4];
};

// The four words of counters (first + i, c1, c2, 0) in lane i, for i in 0..7.
inline Words philox(std::uint32_t first, std::uint32_t c1, std::uint32_t c2, std::uint32_t k0,
                    std::uint32_t k1) {
  const auto half = [&](std::uint64_t odd) {
    const W4 lanes = {odd, odd + 2, odd + 4, odd + 6};
    Philox state{{lanes + all_wide(first), all_wide(c1), all_wide(c2), all_wide(0)}};
    state.run(k0, k1);
    return state;
  };
  const Philox even = half(0), odd = half(1);
  Words words;
  for (int w = 0; w < 4; ++w) {
    words.word[w] = reinterpret_cast<U8>((even.counter[w] & 0xFFFFFFFFU) | (odd.counter[w] << 32));
  }
  return words;
}

// 16 random bits for every element of two neighbouring rows, 2 pair and 2 pair + 1, of a panel of
// 32 columns. Column 8 w + i takes word w of counter 8 pair + i: its lower half in the even row,
// its upper half in the odd row.
class PairOfRows {
 public:
  static constexpr std::size_t kRows = 2;

  PairOfRows() : words_() {}
  PairOfRows(Draw draw, std::size_t pair, std::size_t panel)
      : words_(philox(static_cast<std::uint32_t>(pair * kLanes), static_cast<std::uint32_t>(panel),
                      draw.step, draw.seed, draw.purpose)) {}

  // For columns 8 w to 8 w + 7, uniform in 0..65535.
  U8 bits(std::size_t odd, std::size_t w) const {
    return odd != 0 ? words_.word[w] >> 16 : words_.word[w] & all_bits(0xFFFF);
  }

  // The same, uniform in (0, 1): the middles of 2^16 equal parts.
  F8 uniform(std::size_t odd, std::size_t w) const {
    return (to_float(reinterpret_cast<I8>(bits(odd, w))) + all(0.5F)) * all(1.0F / 65536.0F);
  }

 private:
  Words words_;
};

// Half as many: 8 bits for every element of rows 4 group to 4 group + 3, as the upper half of 16
// whose lower half is that of their middle. Row 4 group + r takes byte r of column 8 w + i's word.
class FourRows {
 public:
  static constexpr std::size_t kRows = 4;

  FourRows(Draw draw, std::size_t group, std::size_t panel)
      : words_(philox(static_cast<std::uint32_t>(group * kLanes), static_cast<std::uint32_t>(panel),
                      draw.step, draw.seed, draw.purpose)) {}

  // For columns 8 w to 8 w + 7 of row r.
  U8 bits(std::size_t r, std::size_t w) const {
    const U8 word = words_.word[w];
    const U8 shifted = r == 0 ? word << 8 : word >> (8 * (r - 1));
    return (shifted & all_bits(0xFF00)) | all_bits(0x80);
  }

 private:
  Words words_;
};

// No random numbers, for what is not rounded.
struct NoRandom {
  static constexpr std::size_t kRows = 2;
  NoRandom(Draw, std::size_t, std::size_t) {}
  U8 bits(std::size_t, std::size_t) const { return all_bits(0); }
};

}  // namespace
}  // namespace kernels
