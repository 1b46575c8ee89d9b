// Sums of a panel's 32 outputs in 16 bits, and where they go.
#pragma once

#include "common.hpp"

namespace kernels {
namespace {

// Modulo 2^16: what they stand for fits 16 bits, with a sign or without.
struct Sums {
  static constexpr std::size_t kLanes16 = 8;
  uint16x8_t of[kPanel / kLanes16];

  Sums() {
    for (auto& sum : of) sum = vdupq_n_u16(0);
  }

  void add_unsigned(std::size_t half, uint8x16_t x) {
    of[2 * half] = vaddw_u8(of[2 * half], vget_low_u8(x));
    of[2 * half + 1] = vaddw_high_u8(of[2 * half + 1], x);
  }

  void add_signed(std::size_t half, uint8x16_t x) {
    const int8x16_t y = vreinterpretq_s8_u8(x);
    const int16x8_t low = vreinterpretq_s16_u16(of[2 * half]);
    const int16x8_t high = vreinterpretq_s16_u16(of[2 * half + 1]);
    of[2 * half] = vreinterpretq_u16_s16(vaddw_s8(low, vget_low_s8(y)));
    of[2 * half + 1] = vreinterpretq_u16_s16(vaddw_high_s8(high, y));
  }
};

inline int32x4_t widened(uint16x4_t x, bool with_sign) {
  return with_sign ? vmovl_s16(vreinterpret_s16_u16(x)) : vreinterpretq_s32_u32(vmovl_u16(x));
}

// base + factor * sum for 32 outputs, written or added to what is there. In 16 bits everything is
// modulo 2^16, and exact because the result fits.
inline void write(Output out, std::size_t m, std::size_t panel, const Sums& sums, bool with_sign,
                  int factor, int base, bool add) {
  const std::size_t at = m * out.row_stride + panel * out.panel_stride;
  for (std::size_t i = 0; i < kPanel / Sums::kLanes16; ++i) {
    const uint16x8_t sum = sums.of[i];
    const std::size_t lane = i * Sums::kLanes16;
    if (!out.wide) {
      auto* to = static_cast<std::int16_t*>(out.data) + at + lane;
      int16x8_t x = vdupq_n_s16(static_cast<std::int16_t>(base));
      x = vmlaq_n_s16(x, vreinterpretq_s16_u16(sum), static_cast<std::int16_t>(factor));
      vst1q_s16(to, add ? vaddq_s16(x, vld1q_s16(to)) : x);
      continue;
    }
    auto* to = static_cast<std::int32_t*>(out.data) + at + lane;
    for (const uint16x4_t half : {vget_low_u16(sum), vget_high_u16(sum)}) {
      const int32x4_t x = vmlaq_n_s32(vdupq_n_s32(base), widened(half, with_sign), factor);
      vst1q_s32(to, add ? vaddq_s32(x, vld1q_s32(to)) : x);
      to += 4;
    }
  }
}

}  // namespace
}  // namespace kernels
