// Comparisons with NEON: 32 sums to 32 bits.
#include "../thresholds.hpp"

#include "common.hpp"

namespace kernels::thresholds {
namespace {

// Eight comparisons of four to bytes, in order.
std::uint32_t to_bits(const uint32x4_t (&above)[8]) {
  uint8x8_t bytes[4];
  for (std::size_t i = 0; i < 4; ++i) {
    bytes[i] = vmovn_u16(vcombine_u16(vmovn_u32(above[2 * i]), vmovn_u32(above[2 * i + 1])));
  }
  return kernels::to_bits(vcombine_u8(bytes[0], bytes[1]), vcombine_u8(bytes[2], bytes[3]));
}

void compare(const void* sums, bool wide, const std::int32_t* below, std::size_t rows,
             std::uint8_t* bits, std::size_t bytes, std::size_t stride) {
  int32x4_t limit[8];
  for (std::size_t i = 0; i < 8; ++i) limit[i] = vld1q_s32(below + 4 * i);
  for (std::size_t row = 0; row < rows; ++row) {
    uint32x4_t above[8];
    for (std::size_t i = 0; i < 8; ++i) {
      const std::size_t at = row * kPanel + 4 * i;
      const int32x4_t sum = wide ? vld1q_s32(static_cast<const std::int32_t*>(sums) + at)
                                 : vmovl_s16(vld1_s16(static_cast<const std::int16_t*>(sums) + at));
      above[i] = vcgtq_s32(sum, limit[i]);
    }
    const std::uint32_t mask = to_bits(above);
    __builtin_memcpy(bits + row * stride, &mask, bytes);
  }
}

}  // namespace

const Kernels neon{compare};

}  // namespace kernels::thresholds
