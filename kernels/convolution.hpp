// Convolutions of 3x3 with stride 1, an image at a time: what they need beside the products.
//
// An image lies in a grid with a border, so that every tap of a convolution is an offset. Position
// (y, x) is number (y + 1) stride + x + 1, with a stride of width + 1: a row's right border is the
// left one of the next. The sum at (y, x) has number y stride + x; its tap (dy, dx), each 0..2, is
// the position that is dy stride + dx further.
//
// Elements of a patch are taps, and channels within a tap. All sums are exact.
#pragma once

#include "layout.hpp"
#include "random.hpp"

namespace kernels::convolution {

inline constexpr std::size_t kSide = 3, kTaps = kSide * kSide;

struct Grid {
  std::size_t height, width;

  std::size_t stride() const { return width + 1; }
  std::size_t size() const { return (height + 2) * stride() + 1; }
  std::size_t at(std::size_t y, std::size_t x) const { return (y + 1) * stride() + x + 1; }
  // How many numbers sums have, those of borders included.
  std::size_t span() const { return height * stride(); }
  std::size_t offset(std::size_t tap) const { return tap / kSide * stride() + tap % kSide; }
};

// A layer of convolution, with max-pooling of 2x2 if `pool`.
struct Shape {
  std::size_t height, width, channels;  // of the map that it reads
  std::size_t features;                 // a multiple of 8
  std::size_t stride;                   // 1 or 2
  bool pool;

  Grid grid() const { return {height, width}; }
  std::size_t summed_height() const { return (height + stride - 1) / stride; }
  std::size_t summed_width() const { return (width + stride - 1) / stride; }
  std::size_t out_height() const { return pool ? summed_height() / 2 : summed_height(); }
  std::size_t out_width() const { return pool ? summed_width() / 2 : summed_width(); }
  // Positions of the map that it reads, of its sums, and of the map that it writes.
  std::size_t in() const { return height * width; }
  std::size_t summed() const { return summed_height() * summed_width(); }
  std::size_t out() const { return out_height() * out_width(); }
  std::size_t elements() const { return kTaps * channels; }
};

// The most channels whose sums fit int16: of bits, and of pixels of 0..15.
inline constexpr std::size_t kMaxChannels = 32767 / kTaps;
inline constexpr std::size_t kMaxPixelChannels = 32767 / 15 / kTaps;

// Sums of a panel, (height * width, 32), of pixels of 0..15 by weights of +1 and -1.
// pixels: (grid.size(), channels). weights: (9 channels, 32).
using PixelSums = void (*)(const std::uint8_t* pixels, Grid grid, std::size_t channels,
                           const std::int16_t* weights, std::int16_t* out);

// Add the weight gradient of a panel to sums, (9 channels, 32).
// g: (grid.span(), 32), of absolute value at most `max`, 0 at borders.
using PixelGradients = void (*)(const std::uint8_t* pixels, Grid grid, std::size_t channels,
                                const std::int8_t* g, int max, std::int32_t* sums);

// The largest of every 2x2 sums of a panel, (height * width, 32), without an odd row or column;
// places: which of the four it is, the first of equal ones.
// out, places: (height / 2 * (width / 2), 32).
using MaxPool = void (*)(const std::int16_t* sums, std::size_t height, std::size_t width,
                         std::int16_t* out, std::uint8_t* places);

// A panel of gradients rounded stochastically as in rounding.hpp, with a factor a column.
// first_pair: the number of the first two rows, for the random numbers. out: (rows, 32).
using Round = void (*)(const float* g, std::size_t rows, const float* factors, Draw draw,
                       std::size_t first_pair, std::size_t panel, std::int8_t* out);

// Of (rows, 32) small integers, those whose place is `place`; the others become 0.
// out: row r at r * stride.
using Select = void (*)(const std::int8_t* rows, const std::uint8_t* places, std::size_t count,
                        std::uint8_t place, std::int8_t* out, std::size_t stride);

// (rows, 32) small integers to `valid` columns of them, `stride` apart, a multiple of 32: 0 past
// the last row.
using Columns = void (*)(const std::int8_t* rows, std::size_t count, std::size_t valid,
                         std::int8_t* out, std::size_t stride);

// Add (count, 32) sums, int16 or int32, to those that are `step` rows apart in out.
using AddSums = void (*)(const void* sums, bool wide, std::size_t count, std::size_t step,
                         void* out);

// Bits from number `offset` on of a panel's rows. out: (bytes, 32). The panel has a byte more than
// the last that is asked for.
using Shift = void (*)(const std::uint8_t* panel, std::size_t offset, std::size_t bytes,
                       std::uint8_t* out);

struct Kernels {
  PixelSums pixel_sums;
  PixelGradients pixel_gradients;
  MaxPool max_pool;
  Round round;
  Select select;
  Columns columns;
  AddSums add_sums;
  Shift shift;
};

extern const Kernels scalar;
extern const Kernels avx2;
extern const Kernels avx512;
extern const Kernels neon;

}  // namespace kernels::convolution
