// Integers by pixels with AVX-512: 64 multiplications an instruction, in 8 bits, added up in 32.
//
// A 32-bit lane has a pixel of four samples; a row's integers of these samples go to all lanes,
// straight from where they lie. Sums come out as they are stored, a lane a pixel.
//
// | instruction          | does                          | Zen 5: latency, pipes | Ice Lake: latency, ports |
// |----------------------|-------------------------------|-----------------------|--------------------------|
// | vpdpbusd zmm         | four products added to a sum  | 4, 2 of 4             | 5, p0                    |
// | vpbroadcastd load    | four integers to all lanes    | load, 2 of 4          | load, p23                |
#pragma once

#include "../pixels.hpp"

#include "../avx2/pixel_panel.hpp"
#include "common.hpp"

namespace kernels::pixels {
namespace {

constexpr std::size_t kQuad = 4;
// Rows that are multiplied together: 16 sums of 32 pixels.
constexpr std::size_t kTileRows = 8;
// Quads of samples until the sums go out. Their pixels are 16 KiB, which stay in the first-level
// cache while all rows pass over them.
constexpr std::size_t kMaxQuads = 128;

// Quads of samples whose pixels of a panel are not all 0.
struct Quads {
  Scratch<std::uint8_t> pixels{kMaxQuads * kOfPanel * kRegister};  // (quads, registers, 64)
  Scratch<std::uint16_t> first{kMaxQuads};  // each one's first sample, from the chunk's on
  std::size_t count = 0;
};

void gather_quads(IntRows x, std::size_t begin, std::size_t end, std::size_t panel, Quads& quads) {
  const __m512i columns[] = {columns_of_four(0), columns_of_four(16)};
  const auto two = [&](std::size_t sample) {
    return _mm512_inserti64x4(_mm512_castsi256_si512(pixels_of(x, sample, end, panel)),
                              pixels_of(x, sample + 1, end, panel), 1);
  };
  quads.count = 0;
  for (std::size_t sample = begin; sample < end; sample += kQuad) {
    const __m512i first = two(sample), second = two(sample + 2);
    if (_mm512_test_epi8_mask(_mm512_or_si512(first, second), _mm512_set1_epi8(-1)) == 0) continue;
    std::uint8_t* to = quads.pixels.get() + quads.count * kOfPanel * kRegister;
    for (std::size_t i = 0; i < kOfPanel; ++i) {
      _mm512_store_si512(to + i * kRegister, _mm512_permutex2var_epi8(first, columns[i], second));
    }
    quads.first.get()[quads.count++] = static_cast<std::uint16_t>(sample - begin);
  }
}

// Rows from `a` on, whose sums of a panel go to `at` in the output.
template <std::size_t Rows>
void multiply_rows(const std::int8_t* a, std::size_t stride, const Quads& quads, Output out,
                   std::size_t at, bool add) {
  __m512i sums[Rows][kOfPanel];
#pragma GCC unroll 8
  for (std::size_t r = 0; r < Rows; ++r) {
#pragma GCC unroll 2
    for (std::size_t v = 0; v < kOfPanel; ++v) {
      sums[r][v] = _mm512_setzero_si512();
    }
  }
  const std::uint8_t* pixels = quads.pixels.get();
  const std::uint16_t* first = quads.first.get();
  for (std::size_t i = 0; i < quads.count; ++i, pixels += kOfPanel * kRegister) {
    const __m512i x[] = {held(_mm512_load_si512(pixels)),
                         held(_mm512_load_si512(pixels + kRegister))};
    const std::int8_t* of_quad = a + first[i];
#pragma GCC unroll 8
    for (std::size_t r = 0; r < Rows; ++r) {
      const __m512i integers = held(broadcast_word(of_quad + r * stride));
#pragma GCC unroll 2
      for (std::size_t v = 0; v < kOfPanel; ++v) {
        add_products(sums[r][v], x[v], integers);
      }
    }
  }
#pragma GCC unroll 8
  for (std::size_t r = 0; r < Rows; ++r) {
#pragma GCC unroll 2
    for (std::size_t v = 0; v < kOfPanel; ++v) {
      write_sums(out, at + r * out.row_stride + v * 16, sums[r][v], add);
    }
  }
}

void ints_by_pixels(const std::int8_t* a, std::size_t stride, int, IntRows x,
                    std::size_t elements, Output out, products::Range range) {
  Quads quads;
  // A chunk's rows of pixels lie anywhere in the dataset: once read, they serve all panels.
  for (std::size_t begin = 0; begin < elements; begin += kMaxQuads * kQuad) {
    const std::size_t end = smaller(elements, begin + kMaxQuads * kQuad);
    prefetch(x, begin, end);
    for (std::size_t panel = range.panel_begin; panel < range.panel_end; ++panel) {
      gather_quads(x, begin, end, panel, quads);
      std::size_t row = range.row_begin;
      const auto multiply = [&]<std::size_t Rows>() {
        multiply_rows<Rows>(a + row * stride + begin, stride, quads, out,
                            row * out.row_stride + panel * out.panel_stride, begin > 0);
        row += Rows;
      };
      while (row + kTileRows <= range.row_end) multiply.template operator()<kTileRows>();
      while (row < range.row_end) multiply.template operator()<1>();
    }
  }
}

}  // namespace
}  // namespace kernels::pixels
