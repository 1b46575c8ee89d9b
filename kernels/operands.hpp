// What products read and write, beside panels of bits: rows of small integers, and sums.
#pragma once

#include "layout.hpp"

namespace kernels {

// Sums, int16 or int32, always in whole panels: sum (m, n) lies at
// m * row_stride + n / 32 * panel_stride + n % 32.
struct Output {
  void* data;
  bool wide;  // int32, else int16
  std::size_t row_stride;
  std::size_t panel_stride;
};

// How small integers lie in a byte.
enum class Form {
  nibbles,  // two a byte, 0..15, the first in the lower half: pixels
  pixels,   // one a byte, which stands for a level of 0..15
  small,    // one a byte, -7..7: gradients of up to 4 bits
  low,      // the lower half of a byte -112..127, 0..15: gradients of 8 bits, with ...
  high,     // ... its upper half, -7..7: the byte is 16 high + low
};

// What bytes of pixels stand for: levels of 0..15, none below that of a smaller byte.
struct Levels {
  std::uint8_t of[256];
  // The smallest byte of level v + 1 or above, for every v below `count`.
  std::uint8_t first[15];
  std::size_t count;
};

// Rows of small integers. With an index, row m is row index[m] of the data: a batch of images is
// read where it lies.
struct IntRows {
  const std::uint8_t* data;
  std::size_t stride;
  const std::int64_t* index;
  Form form;
  const Levels* levels = nullptr;  // of Form::pixels

  const std::uint8_t* row(std::size_t m) const {
    return data + (index == nullptr ? m : static_cast<std::size_t>(index[m])) * stride;
  }
};

}  // namespace kernels
