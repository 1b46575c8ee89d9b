#include <algorithm>

#include "pixels.hpp"

namespace kernels::pixels {
namespace {

constexpr std::size_t kStep = kPanelsOfBlock * kPanel;

// A panel's bytes, `count` of them, to groups of four elements.
void split_fours(const std::uint8_t* from, std::size_t count, std::uint8_t* to) {
  for (std::size_t byte = 0; byte < count; ++byte, from += kPanel) {
    for (std::size_t half = 0; half < 2; ++half, to += kStep) {
      for (std::size_t o = 0; o < kPanel; ++o) to[o] = from[o] >> (4 * half) & 15;
    }
  }
}

// The same to groups of six: three bytes are four of them. Bytes past the last are 0.
void split_sixes(const std::uint8_t* from, std::size_t count, std::uint8_t* to) {
  static constexpr std::uint8_t kNone[kPanel] = {};
  for (std::size_t byte = 0; byte < count; byte += 3, from += 3 * kPanel, to += 4 * kStep) {
    const std::uint8_t* second = byte + 1 < count ? from + kPanel : kNone;
    const std::uint8_t* third = byte + 2 < count ? from + 2 * kPanel : kNone;
    const auto put = [&](std::size_t group, auto bits) {
      std::uint8_t* at = to + group * kStep;
      for (std::size_t o = 0; o < kPanel; ++o) at[o] = bits(o) & 63;
    };
    put(0, [&](std::size_t o) { return from[o]; });
    put(1, [&](std::size_t o) { return from[o] >> 6 | second[o] << 2; });
    if (second != kNone) put(2, [&](std::size_t o) { return second[o] >> 4 | third[o] << 4; });
    if (third != kNone) put(3, [&](std::size_t o) { return third[o] >> 2; });
  }
}

}  // namespace

void split_groups(Grouping grouping, products::PanelOperand b, std::size_t panels,
                  std::size_t block, std::uint8_t* groups) {
  const std::size_t first = block * kPanelsOfBlock;
  const std::size_t count = std::min(kPanelsOfBlock, panels - first);
  const auto split = grouping == Grouping::fours ? split_fours : split_sixes;
  for (std::size_t p = 0; p < count; ++p) {
    split(b.data + (first + p) * b.bytes * kPanel, b.bytes,
          groups + (first * groups_for(grouping, b.bytes) + p) * kPanel);
  }
}

}  // namespace kernels::pixels
