// Of eight numbers of 16 bits, those that are not 0, side by side.
#pragma once

#include "common.hpp"

namespace kernels {
namespace {

constexpr std::size_t kEight = 8;

// Which bytes to keep, in order, for every choice of eight numbers.
struct alignas(64) Choices {
  std::uint8_t bytes[256][16];
};

constexpr Choices make_choices() {
  Choices choices{};
  for (unsigned kept = 0; kept < 256; ++kept) {
    unsigned to = 0;
    for (unsigned i = 0; i < kEight; ++i) {
      if ((kept >> i & 1) == 0) continue;
      choices.bytes[kept][to++] = static_cast<std::uint8_t>(2 * i);
      choices.bytes[kept][to++] = static_cast<std::uint8_t>(2 * i + 1);
    }
  }
  return choices;
}

constexpr Choices kChoices = make_choices();

class NotZero {
 public:
  explicit NotZero(__m128i x) {
    const __m128i zero = _mm_cmpeq_epi16(x, _mm_setzero_si128());
    kept_ = static_cast<unsigned>(~_mm_movemask_epi8(_mm_packs_epi16(zero, zero))) & 0xFF;
  }

  std::size_t count() const { return static_cast<std::size_t>(__builtin_popcount(kept_)); }

  // Write what y has where x is not 0; what is written past that is for the next to overwrite.
  void store(std::uint16_t* to, __m128i y) const {
    const __m128i bytes = _mm_load_si128(reinterpret_cast<const __m128i*>(kChoices.bytes[kept_]));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm_shuffle_epi8(y, bytes));
  }

 private:
  unsigned kept_;
};

}  // namespace
}  // namespace kernels
