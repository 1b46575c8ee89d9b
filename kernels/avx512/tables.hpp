// Tables of the 16 partial sums of four elements with AVX-512, for eight groups of four at once.
#pragma once

#include "common.hpp"

namespace kernels {
namespace {

// Where table bytes come from: of 16 pairs of elements there are four bytes each, a sum for each
// choice of the two; entry i of a group's table adds byte i % 4 of its first pair and byte i / 4 of
// its second.
struct FromPairs {
  __m512i first[2], second[2];

  FromPairs() {
    alignas(kRegister) std::uint8_t of_first[kRegister], of_second[kRegister];
    for (std::uint8_t half = 0; half < 2; ++half) {
      for (std::uint8_t at = 0; at < kRegister; ++at) {
        const auto group = static_cast<std::uint8_t>(half * 4 + at / 16);
        of_first[at] = static_cast<std::uint8_t>(group * 8 + at % 4);
        of_second[at] = static_cast<std::uint8_t>(group * 8 + 4 + at % 16 / 4);
      }
      first[half] = load_wide(of_first);
      second[half] = load_wide(of_second);
    }
  }

  // Eight tables of 16 bytes.
  void make(__m512i pairs, std::uint8_t* tables) const {
    for (std::size_t half = 0; half < 2; ++half) {
      _mm512_store_si512(tables + half * kRegister,
                         _mm512_add_epi8(_mm512_permutexvar_epi8(first[half], pairs),
                                         _mm512_permutexvar_epi8(second[half], pairs)));
    }
  }
};

}  // namespace
}  // namespace kernels
