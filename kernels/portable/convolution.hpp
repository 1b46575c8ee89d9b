// Convolutions over vectors of features, for every instruction set.
#pragma once

#include "../convolution.hpp"
#include "../transpose.hpp"
#include "../vectors.hpp"
#include "stochastic.hpp"

namespace kernels::convolution {
namespace {

// int16 and bytes in as many bytes as a register of floats has, or a panel if that is less.
inline constexpr std::size_t kShortLanes = 2 * kLanes;
inline constexpr std::size_t kShortGroups = kPanel / kShortLanes;
inline constexpr std::size_t kFloatGroups = kPanel / kLanes;
using WideShorts = std::int16_t __attribute__((vector_size(2 * kShortLanes)));
using ByteLanes = std::int8_t __attribute__((vector_size(kShortLanes)));
using PanelBytes = std::uint8_t __attribute__((vector_size(kPanel)));

// A sum with a number of its type is one instruction; GCC would insert lane by lane otherwise.
inline WideShorts all_shorts(int x) { return WideShorts{} + static_cast<std::int16_t>(x); }

// A register of sums stays while all elements are added.
void pixel_sums(const std::uint8_t* pixels, Grid grid, std::size_t channels,
                const std::int16_t* weights, std::int16_t* out) {
  for (std::size_t y = 0; y < grid.height; ++y) {
    for (std::size_t x = 0; x < grid.width; ++x, out += kPanel) {
      const std::uint8_t* from = pixels + (y * grid.stride() + x) * channels;
      WideShorts sums[kShortGroups] = {};
      const std::int16_t* w = weights;
      for (std::size_t row = 0; row < kSide; ++row) {
        const std::uint8_t* of_row = from + row * grid.stride() * channels;
        for (std::size_t k = 0; k < kSide * channels; ++k, w += kPanel) {
          const WideShorts pixel = all_shorts(of_row[k]);
          for (std::size_t v = 0; v < kShortGroups; ++v) {
            sums[v] += pixel * read<WideShorts>(w + v * kShortLanes);
          }
        }
      }
      for (std::size_t v = 0; v < kShortGroups; ++v) store(out + v * kShortLanes, sums[v]);
    }
  }
}

// So many elements of a row of a patch are summed together, in 16 bits while they fit.
template <std::size_t Elements>
void add_gradients(const std::uint8_t* pixels, std::size_t channels, const std::int8_t* g,
                   std::size_t count, std::size_t block, std::int32_t* sums) {
  for (std::size_t begin = 0; begin < count; begin += block) {
    const std::size_t end = count - begin < block ? count : begin + block;
    WideShorts narrow[Elements][kShortGroups] = {};
    for (std::size_t p = begin; p < end; ++p) {
      for (std::size_t v = 0; v < kShortGroups; ++v) {
        const WideShorts gradient = __builtin_convertvector(
            read<ByteLanes>(g + p * kPanel + v * kShortLanes), WideShorts);
        for (std::size_t e = 0; e < Elements; ++e) {
          narrow[e][v] += all_shorts(pixels[p * channels + e]) * gradient;
        }
      }
    }
    for (std::size_t e = 0; e < Elements; ++e) {
      std::int16_t values[kPanel];
      __builtin_memcpy(values, narrow[e], sizeof(values));
      for (std::size_t i = 0; i < kPanel; ++i) sums[e * kPanel + i] += values[i];
    }
  }
}

void pixel_gradients(const std::uint8_t* pixels, Grid grid, std::size_t channels,
                     const std::int8_t* g, int max, std::int32_t* sums) {
  const std::size_t block = 32767 / (15 * static_cast<std::size_t>(max));
  for (std::size_t row = 0; row < kSide; ++row) {
    const std::uint8_t* from = pixels + row * grid.stride() * channels;
    std::int32_t* to = sums + row * kSide * channels * kPanel;
    std::size_t k = 0;
    for (; k + 3 <= kSide * channels; k += 3) {
      add_gradients<3>(from + k, channels, g, grid.span(), block, to + k * kPanel);
    }
  }
}

void max_pool(const std::int16_t* sums, std::size_t height, std::size_t width, std::int16_t* out,
              std::uint8_t* places) {
  for (std::size_t y = 0; y + 1 < height; y += 2) {
    for (std::size_t x = 0; x + 1 < width; x += 2, out += kPanel, places += kPanel) {
      const std::int16_t* first = sums + (y * width + x) * kPanel;
      const std::int16_t* four[] = {first, first + kPanel, first + width * kPanel,
                                    first + (width + 1) * kPanel};
      for (std::size_t v = 0; v < kShortGroups; ++v) {
        WideShorts largest = read<WideShorts>(four[0] + v * kShortLanes), place = {};
        for (int i = 1; i < 4; ++i) {
          const WideShorts next = read<WideShorts>(four[i] + v * kShortLanes);
          const WideShorts above = next > largest;
          largest = above ? next : largest;
          place = above ? all_shorts(i) : place;
        }
        store(out + v * kShortLanes, largest);
        store(places + v * kShortLanes, __builtin_convertvector(place, ByteLanes));
      }
    }
  }
}

void round(const float* g, std::size_t rows, const float* factors, Draw draw,
           std::size_t first_pair, std::size_t panel, std::int8_t* out) {
  Floats units[kFloatGroups];
  for (std::size_t w = 0; w < kFloatGroups; ++w) {
    units[w] = units_per(read<Floats>(factors + w * kLanes));
  }
  for (std::size_t b = 0; b < rows; b += 2) {
    const PairOfRows random(draw, first_pair + b / 2, panel);
    for (std::size_t odd = 0; odd < 2 && b + odd < rows; ++odd) {
      for (std::size_t w = 0; w < kFloatGroups; ++w) {
        const std::size_t at = (b + odd) * kPanel + w * kLanes;
        round_to(out + at, read<Floats>(g + at), units[w], random.bits(odd, w));
      }
    }
  }
}

void select(const std::int8_t* rows, const std::uint8_t* places, std::size_t count,
            std::uint8_t place, std::int8_t* out, std::size_t stride) {
  for (std::size_t r = 0; r < count; ++r) {
    const auto same = read<PanelBytes>(places + r * kPanel) == in_all_lanes<PanelBytes>(place);
    const auto kept = read<PanelBytes>(rows + r * kPanel) & reinterpret_cast<PanelBytes>(same);
    store(out + r * stride, kept);
  }
}

void columns(const std::int8_t* rows, std::size_t count, std::size_t valid, std::int8_t* out,
             std::size_t stride) {
  for (std::size_t begin = 0; begin < count; begin += kPanel) {
    alignas(32) std::uint8_t block[kPanel * kPanel] = {};
    alignas(32) std::uint8_t turned[kPanel * kPanel];
    const std::size_t some = count - begin < kPanel ? count - begin : kPanel;
    __builtin_memcpy(block, rows + begin * kPanel, some * kPanel);
    transpose_block(block, turned);
    for (std::size_t c = 0; c < valid; ++c) {
      __builtin_memcpy(out + c * stride + begin, turned + c * kPanel, kPanel);
    }
  }
}

template <typename V, typename T>
void add_rows(const T* sums, std::size_t count, std::size_t step, T* out) {
  constexpr std::size_t kLanesOfV = sizeof(V) / sizeof(T);
  for (std::size_t r = 0; r < count; ++r) {
    T* to = out + r * step * kPanel;
    for (std::size_t i = 0; i < kPanel; i += kLanesOfV) {
      store(to + i, read<V>(to + i) + read<V>(sums + r * kPanel + i));
    }
  }
}

void add_sums(const void* sums, bool wide, std::size_t count, std::size_t step, void* out) {
  if (wide) {
    add_rows<Ints>(static_cast<const std::int32_t*>(sums), count, step,
                   static_cast<std::int32_t*>(out));
  } else {
    add_rows<WideShorts>(static_cast<const std::int16_t*>(sums), count, step,
                         static_cast<std::int16_t*>(out));
  }
}

void shift(const std::uint8_t* panel, std::size_t offset, std::size_t bytes, std::uint8_t* out) {
  panel += offset / 8 * kPanel;
  const auto bits = static_cast<std::uint8_t>(offset % 8);
  if (bits == 0) {
    __builtin_memcpy(out, panel, bytes * kPanel);
    return;
  }
  const auto left = static_cast<std::uint8_t>(8 - bits);
  PanelBytes next = read<PanelBytes>(panel);
  for (std::size_t b = 0; b < bytes; ++b) {
    const PanelBytes here = next;
    next = read<PanelBytes>(panel + (b + 1) * kPanel);
    store(out + b * kPanel, (here >> bits) | (next << left));
  }
}

}  // namespace
}  // namespace kernels::convolution
