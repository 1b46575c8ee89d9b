// Packing with NEON.
#include "../portable/packing.hpp"

#include "common.hpp"

namespace kernels::packing {
namespace {

// The signs of 16 floats, all or no bits of a byte set.
uint8x16_t signs(const float* x) {
  uint16x4_t part[4];
  for (std::size_t i = 0; i < 4; ++i) part[i] = vmovn_u32(vcgezq_f32(vld1q_f32(x + 4 * i)));
  return vcombine_u8(vmovn_u16(vcombine_u16(part[0], part[1])),
                     vmovn_u16(vcombine_u16(part[2], part[3])));
}

void pack_row(const float* x, std::size_t columns, std::uint8_t* row) {
  std::size_t c = 0;
  for (; c + kPanel <= columns; c += kPanel) {
    const std::uint32_t word = to_bits(signs(x + c), signs(x + c + kBytes));
    std::memcpy(row + c / 8, &word, sizeof(word));
  }
  if (c < columns) scalar.pack_row(x + c, columns - c, row + c / 8);
}

}  // namespace

const Kernels neon{pack_row, interleave_panel, transpose_panel};

}  // namespace kernels::packing
