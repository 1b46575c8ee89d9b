// Stochastic rounding over vectors of columns, for every instruction set.
#pragma once

#include "../byte_weights.hpp"
#include "../rounding.hpp"
#include "../transpose.hpp"
#include "stochastic.hpp"

namespace kernels::rounding {
namespace {

constexpr std::size_t kGroups = kPanel / kLanes;
// Latent weights in 16 and in 8 bits are multiples of these.
constexpr float kWordUnit = 1.0F / 32767.0F;
constexpr float kByteUnit = 1.0F / 127.0F;

void column_factors(const float* panel, std::size_t rows, int max, float* factors) {
  for (std::size_t w = 0; w < kGroups; ++w) {
    Floats largest = all(0.0F);
    for (std::size_t b = 0; b < rows; ++b) {
      largest = larger(absolute(read<Floats>(panel + b * kPanel + w * kLanes)), largest);
    }
    store(factors + w * kLanes, largest / all(static_cast<float>(max)));
  }
}

void round_columns(const float* panel, std::size_t rows, const float* factors, Draw draw,
                   std::size_t panel_index, std::size_t valid, std::int8_t* out,
                   std::size_t stride) {
  Floats units[kGroups];
  for (std::size_t w = 0; w < kGroups; ++w) units[w] = units_per(read<Floats>(factors + w * kLanes));
  for (std::size_t begin = 0; begin < rows; begin += kPanel) {
    alignas(32) std::int8_t block[kPanel * kPanel] = {};
    alignas(32) std::int8_t columns[kPanel * kPanel];
    for (std::size_t b = begin; b < begin + kPanel && b < rows; b += 2) {
      const PairOfRows random(draw, b / 2, panel_index);
      for (std::size_t odd = 0; odd < 2 && b + odd < rows; ++odd) {
        for (std::size_t w = 0; w < kGroups; ++w) {
          const Floats g = read<Floats>(panel + (b + odd) * kPanel + w * kLanes);
          round_to(block + (b + odd - begin) * kPanel + w * kLanes, g, units[w],
                   random.bits(odd, w));
        }
      }
    }
    transpose_block(reinterpret_cast<const std::uint8_t*>(block),
                    reinterpret_cast<std::uint8_t*>(columns));
    for (std::size_t c = 0; c < valid; ++c) {
      __builtin_memcpy(out + c * stride + begin, columns + c * kPanel, kPanel);
    }
  }
}

float largest_of(Floats v) {
  float largest = 0;
  for (std::size_t i = 0; i < kLanes; ++i) largest = v[i] > largest ? v[i] : largest;
  return largest;
}

// Vector w of a row that ends with column `columns`, with 0 in the lanes past it.
Floats read_row(const float* matrix, std::size_t rows, std::size_t columns, std::size_t row,
            std::size_t w) {
  const std::size_t first = w * kLanes;
  const Floats g = read<Floats>(matrix + (first / kPanel * rows + row) * kPanel + first % kPanel);
  if (first + kLanes <= columns) return g;
  Ints lanes;
  for (std::size_t i = 0; i < kLanes; ++i) lanes[i] = static_cast<std::int32_t>(i);
  return where(lanes < static_cast<std::int32_t>(columns - first), g, all(0.0F));
}

void round_rows(const float* matrix, std::size_t rows, std::size_t columns, std::size_t begin,
                std::size_t end, int max, Draw draw, std::int8_t* out, std::size_t stride,
                float* factors) {
  const std::size_t vectors = (columns + kLanes - 1) / kLanes;
  for (std::size_t b = begin; b < end; ++b) {
    Floats largest = all(0.0F);
    for (std::size_t w = 0; w < vectors; ++w) {
      largest = larger(absolute(read_row(matrix, rows, columns, b, w)), largest);
    }
    factors[b] = largest_of(largest) / static_cast<float>(max);
    __builtin_memset(out + b * stride, 0, stride);
  }
  for (std::size_t panel = 0; panel * kPanel < columns; ++panel) {
    for (std::size_t pair = begin / 2; pair * 2 < end; ++pair) {
      const PairOfRows random(draw, pair, panel);
      for (std::size_t b = pair * 2; b < pair * 2 + 2 && b < end; ++b) {
        const Floats units = units_per(all(factors[b]));
        for (std::size_t v = 0; v < kGroups && panel * kGroups + v < vectors; ++v) {
          const std::size_t w = panel * kGroups + v;
          const Floats g = read_row(matrix, rows, columns, b, w);
          round_to(out + b * stride + w * kLanes, g, units, random.bits(b % 2, v));
        }
      }
    }
  }
}

Floats latent_of(const float* latent) { return read<Floats>(latent); }
Floats latent_of(const std::int16_t* latent) { return read_floats(latent) * all(kWordUnit); }
Floats latent_of(const std::int8_t* latent) {
  return to_float(read_ints(latent)) * all(kByteUnit);
}

template <typename T>
void pack_signs(const T* latent, std::size_t columns, std::uint8_t* bits) {
  for (std::size_t panel = 0; panel * kPanel < columns; ++panel) {
    put_bits(bits + panel * kPanel / 8, signs_of(latent + panel * kPanel),
             rows_in_panel(panel, columns));
  }
}

template <typename T>
void pack(const T* latent, std::size_t row, std::size_t columns, float noise, Draw draw,
          std::uint8_t* bits) {
  for (std::size_t panel = 0; panel * kPanel < columns; ++panel) {
    const PairOfRows random(noise > 0 ? PairOfRows(draw, row / 2, panel) : PairOfRows());
    std::uint32_t word = 0;
    for (std::size_t v = 0; v < kGroups; ++v) {
      Floats w = latent_of(latent + panel * kPanel + v * kLanes);
      if (noise > 0) {
        w += all(noise) * (random.uniform(row % 2, v) * all(2.0F) - all(1.0F));
      }
      word |= at_least(w, all(0.0F)) << (v * kLanes);
    }
    put_bits(bits + panel * kPanel / 8, word, rows_in_panel(panel, columns));
  }
}

void pack_row(const void* latent, Latent form, std::size_t row, std::size_t columns, float noise,
              Draw draw, std::uint8_t* bits) {
  const auto as = [&]<typename T>() {
    const auto* of_row = static_cast<const T*>(latent);
    if constexpr (sizeof(T) < sizeof(float)) {
      if (!(noise > 0)) return pack_signs(of_row, columns, bits);
    }
    pack(of_row, row, columns, noise, draw, bits);
  };
  if (form == Latent::real) as.template operator()<float>();
  if (form == Latent::words) as.template operator()<std::int16_t>();
  if (form == Latent::bytes) as.template operator()<std::int8_t>();
}

}  // namespace
}  // namespace kernels::rounding
