// Integers by pixels with NEON: eight products an instruction, added to sums of 16 bits, for every
// sample that has a pixel of the panel that is not 0.
#pragma once

#include <algorithm>

#include "../aligned.hpp"
#include "../pixels.hpp"
#include "sums.hpp"

namespace kernels::pixels {
namespace {

// Rows that are multiplied together: a sample's pixels serve all.
constexpr std::size_t kRowsTogether = 4;
// The pixels of so many samples, a byte each, are 8 KiB.
constexpr std::size_t kMaxSamples = 256;

// How many products add up in 16 bits.
std::size_t samples_of_chunk(int max) {
  return std::min(kMaxSamples, static_cast<std::size_t>(32767 / (15 * max)));
}

// Of a chunk's samples, those that count for a panel.
struct Samples {
  alignas(kBytes) std::uint8_t pixels[kMaxSamples * kPanel];
  std::uint16_t number[kMaxSamples];
  std::size_t count;
};

void list_samples(IntRows x, std::size_t begin, std::size_t end, std::size_t panel,
                  Samples& list) {
  list.count = 0;
  for (std::size_t sample = begin; sample < end; ++sample) {
    const uint8x16_t nibbles = vld1q_u8(x.row(sample) + panel * kPanel / 2);
    if (vmaxvq_u8(nibbles) == 0) continue;
    const uint8x16_t even = low_nibbles(nibbles), odd = high_nibbles(nibbles);
    std::uint8_t* to = list.pixels + list.count * kPanel;
    vst1q_u8(to, vzip1q_u8(even, odd));
    vst1q_u8(to + kBytes, vzip2q_u8(even, odd));
    list.number[list.count++] = static_cast<std::uint16_t>(sample - begin);
  }
}

// Sums of `Rows` rows, the first at `a`, by a panel.
template <std::size_t Rows>
void multiply(const std::int8_t* a, std::size_t stride, const Samples& list, Sums (&result)[Rows]) {
  int16x8_t sums[Rows][2 * kHalves];
  for (auto& row : sums) {
    for (auto& sum : row) sum = vdupq_n_s16(0);
  }
  for (std::size_t i = 0; i < list.count; ++i) {
    const std::uint8_t* pixels = list.pixels + i * kPanel;
    const int8x16_t x[] = {vreinterpretq_s8_u8(vld1q_u8(pixels)),
                           vreinterpretq_s8_u8(vld1q_u8(pixels + kBytes))};
#pragma GCC unroll 4
    for (std::size_t r = 0; r < Rows; ++r) {
      const int8x16_t factor = vld1q_dup_s8(a + r * stride + list.number[i]);
#pragma GCC unroll 2
      for (std::size_t half = 0; half < kHalves; ++half) {
        int16x8_t& low = sums[r][2 * half];
        int16x8_t& high = sums[r][2 * half + 1];
        low = vmlal_s8(low, vget_low_s8(x[half]), vget_low_s8(factor));
        high = vmlal_high_s8(high, x[half], factor);
      }
    }
  }
  for (std::size_t r = 0; r < Rows; ++r) {
    for (std::size_t i = 0; i < 2 * kHalves; ++i) {
      result[r].of[i] = vreinterpretq_u16_s16(sums[r][i]);
    }
  }
}

template <std::size_t Rows>
void multiply_rows(const std::int8_t* a, std::size_t stride, const Samples& list, Output out,
                   std::size_t row, std::size_t panel, bool add) {
  Sums sums[Rows];
  multiply<Rows>(a + row * stride, stride, list, sums);
  for (std::size_t r = 0; r < Rows; ++r) write(out, row + r, panel, sums[r], true, 1, 0, add);
}

void ints_by_pixels(const std::int8_t* a, std::size_t stride, int max, IntRows x,
                    std::size_t elements, Output out, products::Range range) {
  const std::size_t samples = samples_of_chunk(max);
  const AlignedBytes memory(sizeof(Samples));
  Samples& list = *new (memory.get()) Samples;
  // A chunk's rows of pixels lie anywhere in the dataset: once read, they serve all panels.
  for (std::size_t begin = 0; begin < elements; begin += samples) {
    const std::size_t end = std::min(elements, begin + samples);
    for (std::size_t panel = range.panel_begin; panel < range.panel_end; ++panel) {
      list_samples(x, begin, end, panel, list);
      std::size_t row = range.row_begin;
      for (; row + kRowsTogether <= range.row_end; row += kRowsTogether) {
        multiply_rows<kRowsTogether>(a + begin, stride, list, out, row, panel, begin > 0);
      }
      for (; row < range.row_end; ++row) {
        multiply_rows<1>(a + begin, stride, list, out, row, panel, begin > 0);
      }
    }
  }
}

}  // namespace
}  // namespace kernels::pixels
