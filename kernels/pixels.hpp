// Products of pixels, nibbles of 0..15, in exact integers: with bits (the first layer's forward
// pass) and with signed integers (its weight gradient, the one product of training in which
// neither side is single bits).
//
// Groups of pixels that are 0 are left out where an instruction set's form gains by it: of
// Fashion-MNIST's pixels, half are 0 in 4 bits. The results are the same.
#pragma once

#include "operands.hpp"
#include "products.hpp"

namespace kernels::pixels {

// A pixel is at most 15 and an integer at most 127.
inline constexpr int kMaxPixel = 15;
// How many products of pixels and integers of absolute value at most `max` an int32 holds.
constexpr std::size_t max_elements(int max) {
  return ((std::size_t{1} << 31) - 1) / static_cast<std::size_t>(kMaxPixel * max);
}
inline constexpr std::size_t kMaxElements = max_elements(127);

// Whether sums of so many integers of absolute value at most `max` by pixels do.
constexpr bool fits_int16(std::size_t elements, int max) {
  return elements * static_cast<std::size_t>(max) * kMaxPixel <= 32767;
}

// Four panels lie together, so that one address serves them all.
inline constexpr std::size_t kPanelsOfBlock = 4;

constexpr std::size_t blocks_for(std::size_t panels) {
  return (panels + kPanelsOfBlock - 1) / kPanelsOfBlock;
}

// How many elements a byte of bits has: four for tables of 16 partial sums, six for tables of 64.
enum class Grouping { fours, sixes };

// Bits with a byte for each group of elements, the first element's lowest: (blocks, groups, 4
// panels, 32); any value in panels past the last.
struct GroupOperand {
  const std::uint8_t* data;
  Grouping grouping;
  std::size_t groups;
};

// The groups that panels of so many bytes of bits make.
constexpr std::size_t groups_for(Grouping grouping, std::size_t bytes) {
  return grouping == Grouping::fours ? 2 * bytes : (4 * bytes + 2) / 3;
}

// How many bytes a group operand takes, for so many panels.
constexpr std::size_t group_bytes(std::size_t panels, std::size_t groups) {
  return blocks_for(panels) * groups * kPanelsOfBlock * kPanel;
}

// Block `block` of the panels of b, of which there are `panels`, to where it lies in `groups`.
void split_groups(Grouping grouping, products::PanelOperand b, std::size_t panels,
                  std::size_t block, std::uint8_t* groups);

// out[m, n] = sum over k of x[m, k] b[n, k], x pixels (Form::nibbles or Form::pixels), b +1/-1.
// elements: K. b: grouped as `grouping_for` says. Range: rows m, panels that begin at a block.
using PixelsByBits = void (*)(IntRows x, std::size_t elements, GroupOperand b, Output out,
                              products::Range range);

// out[n, p] = sum over b of a[n, b] x[b, p].
// a: (N, stride) int8, stride a multiple of 4, elements of absolute value at most `max` (1 to
// 127). x: nibbles. elements: how many b. out: int32, or int16 where `fits_int16`. Range: rows n,
// panels of 32 pixels; the nibbles of a panel past the last pixel are read.
using IntsByPixels = void (*)(const std::int8_t* a, std::size_t stride, int max, IntRows x,
                              std::size_t elements, Output out, products::Range range);

struct Kernels {
  // From so many panels on, groups of six pay: what they save outweighs that their tables take
  // longer to make.
  std::size_t panels_for_sixes;
  PixelsByBits pixels_by_bits;
  IntsByPixels ints_by_pixels;
};

inline constexpr std::size_t kNoSixes = ~std::size_t{0};

inline Grouping grouping_for(const Kernels& kernels, std::size_t panels) {
  return panels < kernels.panels_for_sixes ? Grouping::fours : Grouping::sixes;
}

extern const Kernels scalar;
extern const Kernels avx2;
extern const Kernels avx512;
extern const Kernels neon;

}  // namespace kernels::pixels
