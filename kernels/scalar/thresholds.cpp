// Comparisons, one sum at a time: the reference for every instruction set.
#include "../thresholds.hpp"

namespace kernels::thresholds {
namespace {

void compare(const void* sums, bool wide, const std::int32_t* below, std::size_t rows,
             std::uint8_t* bits, std::size_t bytes, std::size_t stride) {
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t byte = 0; byte < bytes; ++byte) {
      unsigned value = 0;
      for (std::size_t j = 0; j < 8; ++j) {
        const std::size_t at = i * kPanel + byte * 8 + j;
        const std::int32_t sum = wide ? static_cast<const std::int32_t*>(sums)[at]
                                      : static_cast<const std::int16_t*>(sums)[at];
        value |= (sum > below[byte * 8 + j] ? 1U : 0U) << j;
      }
      bits[i * stride + byte] = static_cast<std::uint8_t>(value);
    }
  }
}

}  // namespace

const Kernels scalar{compare};

}  // namespace kernels::thresholds
