// The sums of a convolution over one image, in training and in prediction.
#pragma once

#include "dispatch.hpp"

namespace kernels {

// A convolution's weights: panels of bits, or for pixels numbers, (panels, elements, 32).
struct MapWeights {
  const std::uint8_t* panels;
  const std::int16_t* numbers;  // null for bits
};

// What a convolution reads: pixels, or the bits of the map before it, (images, positions,
// channels / 8).
struct MapInput {
  IntRows pixels;
  const std::uint8_t* bits;  // null for pixels
};

// +1 and -1 of rows of bits, (features, bytes), and 0 for features that do not exist.
void write_numbers(const std::uint8_t* rows, const convolution::Shape& shape, std::int16_t* out);

// The bytes that `map_sums` works in.
std::size_t map_sums_scratch(const convolution::Shape& shape);

// The sums of an image of x, not pooled: (panels, summed, 32), panels `panel_stride` apart.
void map_sums(const InstructionSet& set, const convolution::Shape& shape,
              const MapWeights& weights, const MapInput& x, std::size_t image, std::int16_t* out,
              std::size_t panel_stride, std::uint8_t* scratch);

}  // namespace kernels
