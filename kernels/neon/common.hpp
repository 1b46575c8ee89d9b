// What the NEON files share.
//
// Every AArch64 processor has these instructions; those that came later, dot products say, are not
// used.
#pragma once

#include "../operands.hpp"

#include <arm_neon.h>

namespace kernels {
namespace {

// Bytes of a register, and registers of a panel.
constexpr std::size_t kBytes = 16;
constexpr std::size_t kHalves = kPanel / kBytes;

inline uint8x16_t low_nibbles(uint8x16_t x) { return vandq_u8(x, vdupq_n_u8(15)); }
inline uint8x16_t high_nibbles(uint8x16_t x) { return vshrq_n_u8(x, 4); }

// Of 32 bytes, all or no bits of each set, a bit each.
inline std::uint32_t to_bits(uint8x16_t first, uint8x16_t second) {
  const uint8x16_t places = vreinterpretq_u8_u64(vdupq_n_u64(0x8040201008040201U));
  // Sums of neighbours, three times, of different bits.
  uint8x16_t x = vpaddq_u8(vandq_u8(first, places), vandq_u8(second, places));
  x = vpaddq_u8(x, x);
  x = vpaddq_u8(x, x);
  return vgetq_lane_u32(vreinterpretq_u32_u8(x), 0);
}

}  // namespace
}  // namespace kernels
