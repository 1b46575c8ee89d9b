// Maps in their grids, and the patches of a convolution: see convolution.hpp.
#pragma once

#include <cstdint>
#include <cstring>

#include "convolution.hpp"
#include "operands.hpp"

namespace kernels {

using convolution::Grid;
using convolution::kSide;

// Patches that are gathered at a time: with their sums they stay in the first-level cache.
inline constexpr std::size_t kPatches = 128;

// Arrays one after the other in memory of a thread, each at a cache line.
class Arena {
 public:
  explicit Arena(std::uint8_t* begin) : at_(reinterpret_cast<std::uintptr_t>(begin)), begin_(at_) {}

  template <typename T>
  T* take(std::size_t count) {
    const auto here = at_;
    at_ += round_up(count * sizeof(T), 64);
    return reinterpret_cast<T*>(here);
  }
  std::size_t size() const { return at_ - begin_; }

 private:
  std::uintptr_t at_, begin_;
};

// A copy whose size the compiler knows, for the sizes that are usual, is a few instructions.
template <std::size_t Size>
inline void copy_sized(std::uint8_t* to, const std::uint8_t* from) {
  std::memcpy(to, from, Size);
}

inline void copy(std::uint8_t* to, const std::uint8_t* from, std::size_t size) {
  switch (size) {
    case 3: return copy_sized<3>(to, from);
    case 6: return copy_sized<6>(to, from);
    case 12: return copy_sized<12>(to, from);
    case 24: return copy_sized<24>(to, from);
    case 48: return copy_sized<48>(to, from);
    case 96: return copy_sized<96>(to, from);
    case 192: return copy_sized<192>(to, from);
    default: std::memcpy(to, from, size);
  }
}

// Positions [first, last) of a map, in rows of `width`, `step` apart in a grid of `stride`.
struct Positions {
  std::size_t first, last, width, step, stride;
};

// Gather the patches of these positions: (positions, 9 size) bytes from (grid.size(), size) bytes.
inline void gather(const std::uint8_t* grid, std::size_t size, const Positions& positions,
                   std::uint8_t* patches) {
  std::size_t y = positions.first / positions.width, x = positions.first % positions.width;
  const std::size_t row = positions.stride * size, length = kSide * size;
  for (std::size_t i = positions.first; i < positions.last; ++i) {
    const std::uint8_t* from =
        grid + (y * positions.stride + x) * positions.step * size;
    for (std::size_t r = 0; r < kSide; ++r, from += row, patches += length) {
      copy(patches, from, length);
    }
    if (++x == positions.width) {
      x = 0;
      ++y;
    }
  }
}

// A map of bits into the middle of a grid of -1.
inline void place_bits(const std::uint8_t* map, Grid grid, std::size_t bytes, std::uint8_t* out) {
  std::memset(out, 0, grid.size() * bytes);
  for (std::size_t y = 0; y < grid.height; ++y) {
    std::memcpy(out + grid.at(y, 0) * bytes, map + y * grid.width * bytes, grid.width * bytes);
  }
}

// An image's pixels into the middle of a grid of 0, a byte each.
inline void place_pixels(const IntRows& images, std::size_t image, Grid grid,
                         std::size_t channels, std::uint8_t* out) {
  std::memset(out, 0, grid.size() * channels);
  const std::uint8_t* pixels = images.row(image);
  const bool nibbles = images.form == Form::nibbles;
  std::size_t i = 0;
  for (std::size_t y = 0; y < grid.height; ++y) {
    std::uint8_t* to = out + grid.at(y, 0) * channels;
    for (std::size_t k = 0; k < grid.width * channels; ++k, ++i) {
      to[k] = nibbles ? pixels[i / 2] >> (i % 2 * 4) & 15 : images.levels->of[pixels[i]];
    }
  }
}

}  // namespace kernels
