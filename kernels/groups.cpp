#include <algorithm>

#include "pixels.hpp"

namespace kernels::pixels {

void split_groups(products::PanelOperand b, std::size_t panels, std::size_t block,
                  std::uint8_t* groups) {
  const std::size_t first = block * kPanelsOfBlock;
  const std::size_t count = std::min(kPanelsOfBlock, panels - first);
  for (std::size_t p = 0; p < count; ++p) {
    const std::uint8_t* from = b.data + (first + p) * b.bytes * kPanel;
    std::uint8_t* to = groups + (first * 2 * b.bytes + p) * kPanel;
    for (std::size_t byte = 0; byte < b.bytes; ++byte, from += kPanel) {
      for (std::size_t half = 0; half < 2; ++half, to += kPanelsOfBlock * kPanel) {
        for (std::size_t o = 0; o < kPanel; ++o) to[o] = from[o] >> (4 * half) & 15;
      }
    }
  }
}

}  // namespace kernels::pixels
