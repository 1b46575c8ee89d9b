// One element at a time: how the scalar kernels read and write the operands.
#pragma once

#include "../operands.hpp"

namespace kernels {

inline int integer(IntRows a, std::size_t m, std::size_t k) {
  const std::uint8_t* row = a.row(m);
  if (a.form == Form::nibbles) return row[k / 2] >> (k % 2 * 4) & 15;
  if (a.form == Form::pixels) return a.levels->of[row[k]];
  const int value = static_cast<std::int8_t>(row[k]);
  const int low = value & 15;
  if (a.form == Form::small) return value;
  return a.form == Form::low ? low : (value - low) / 16;
}

inline void write(Output out, std::size_t m, std::size_t n, std::int32_t value, bool add) {
  const std::size_t at = m * out.row_stride + n / kPanel * out.panel_stride + n % kPanel;
  if (out.wide) {
    auto* sums = static_cast<std::int32_t*>(out.data);
    sums[at] = add ? sums[at] + value : value;
  } else {
    auto* sums = static_cast<std::int16_t*>(out.data);
    sums[at] = static_cast<std::int16_t>(add ? sums[at] + value : value);
  }
}

}  // namespace kernels
