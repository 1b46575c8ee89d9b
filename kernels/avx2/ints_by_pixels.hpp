// Integers by pixels with AVX2: 32 multiplications an instruction, in 8 bits, for every two
// samples of which not both have a pixel that is 0.
//
// For each pixel the pairs of samples that count are listed; a pair's two pixels go to all lanes,
// and a register holds the integers of 16 rows for both samples.
//
// | instruction          | does                          | Zen 4: latency, pipes | Skylake: latency, ports |
// |----------------------|-------------------------------|-----------------------|-------------------------|
// | vpmaddubsw ymm       | 32 products, pairs added      | 3, 2 of 4             | 5, p01                  |
// | vpaddw ymm           | add                           | 1, 4 of 4             | 1, p015                 |
// | vpbroadcastw load    | a pair's pixels to all lanes  | load, 2 of 4          | load, p5                |
#pragma once

#include "../pixels.hpp"

#include "not_zero.hpp"
#include "pixel_panel.hpp"

namespace kernels::pixels {
namespace {

// Rows that are multiplied together: eight sums, one pair's pixels and the products in registers.
// With 64 pairs their integers are 16 KiB, half of the first-level cache.
constexpr std::size_t kRowBlock = 128;
constexpr std::size_t kMaxPairs = 64;
constexpr std::size_t kPairBytes = 2 * kRowBlock;

// How many pairs of samples add up in 16 bits: two products each, of at most 15 times `max`.
std::size_t pairs_of_chunk(int max) {
  return smaller(kMaxPairs, static_cast<std::size_t>(32767 / (2 * 15 * max)));
}

// The pairs of samples that a pixel is multiplied with, of those of a chunk.
struct PixelPairs {
  std::uint16_t pixels[kMaxPairs + kEight];  // of both samples, a byte each
  std::uint16_t pairs[kMaxPairs + kEight];
  std::size_t count;
};

[[gnu::always_inline]] inline void transpose_eight(__m128i (&x)[kEight]) {
  __m128i a[kEight], b[kEight];
  for (std::size_t i = 0; i < 4; ++i) {
    a[i] = _mm_unpacklo_epi16(x[i], x[i + 4]);
    a[i + 4] = _mm_unpackhi_epi16(x[i], x[i + 4]);
  }
  // Each stage interleaves registers that are half of all apart.
  for (std::size_t i = 0; i < 2; ++i) {
    for (std::size_t h = 0; h < kEight; h += 4) {
      b[h + i] = _mm_unpacklo_epi16(a[h + i], a[h + i + 2]);
      b[h + i + 2] = _mm_unpackhi_epi16(a[h + i], a[h + i + 2]);
    }
  }
  for (std::size_t h = 0; h < kEight; h += 2) {
    x[h] = _mm_unpacklo_epi16(b[h], b[h + 1]);
    x[h + 1] = _mm_unpackhi_epi16(b[h], b[h + 1]);
  }
}

// Integers of `rows` rows from sample `begin` on as (blocks, pairs, 128, 2), 0 for rows past the
// last.
void interleave_rows(const std::int8_t* a, std::size_t stride, std::size_t begin, std::size_t end,
                     std::size_t rows, std::size_t pairs, std::uint8_t* out) {
  for (std::size_t row = 0; row < rows; row += kEight) {
    std::uint8_t* block = out + row / kRowBlock * pairs * kPairBytes + row % kRowBlock * 2;
    for (std::size_t pair = 0; pair < pairs; pair += kEight) {
      const std::size_t first = begin + 2 * pair;
      const std::size_t bytes = smaller(end - first, 2 * kEight);
      __m128i x[kEight];
      for (std::size_t i = 0; i < kEight; ++i) {
        alignas(16) std::int8_t part[2 * kEight] = {};
        const bool exists = row + i < rows;
        const std::int8_t* from = a + (row + i) * stride + first;
        if (exists && bytes < sizeof(part)) __builtin_memcpy(part, from, bytes);
        const bool whole = exists && bytes == sizeof(part);
        x[i] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(whole ? from : part));
      }
      transpose_eight(x);
      const std::size_t count = smaller(kEight, pairs - pair);
      for (std::size_t i = 0; i < count; ++i) {
        _mm_store_si128(reinterpret_cast<__m128i*>(block + (pair + i) * kPairBytes), x[i]);
      }
    }
  }
}

// Add those of eight pairs that are not 0 to a list.
[[gnu::always_inline]] inline void keep_pairs(__m128i pixels, __m128i numbers, PixelPairs& list) {
  const NotZero kept(pixels);
  kept.store(list.pixels + list.count, pixels);
  kept.store(list.pairs + list.count, numbers);
  list.count += kept.count();
}

// List the pairs of samples [begin, end) for each pixel of a panel.
void list_pairs(IntRows x, std::size_t begin, std::size_t end, std::size_t panel,
                std::uint16_t* pixels, PixelPairs* lists) {
  const std::size_t count = (end - begin + 1) / 2;
  for (std::size_t pair = 0; pair < count; ++pair) {
    const __m256i first = pixels_of(x, begin + 2 * pair, end, panel);
    const __m256i second = pixels_of(x, begin + 2 * pair + 1, end, panel);
    const __m256i low = _mm256_unpacklo_epi8(first, second);
    const __m256i high = _mm256_unpackhi_epi8(first, second);
    auto* to = reinterpret_cast<__m256i*>(pixels + pair * kPanel);
    _mm256_store_si256(to, _mm256_permute2x128_si256(low, high, 0x20));
    _mm256_store_si256(to + 1, _mm256_permute2x128_si256(low, high, 0x31));
  }
  for (std::size_t p = 0; p < kPanel; ++p) lists[p].count = 0;
  __m128i numbers = _mm_setr_epi16(0, 1, 2, 3, 4, 5, 6, 7);
  for (std::size_t pair = 0; pair < count; pair += kEight) {
    for (std::size_t p = 0; p < kPanel; p += kEight) {
      __m128i x[kEight];
      for (std::size_t i = 0; i < kEight; ++i) {
        const std::uint16_t* from = pixels + (pair + i) * kPanel + p;
        x[i] = pair + i < count ? _mm_load_si128(reinterpret_cast<const __m128i*>(from))
                                : _mm_setzero_si128();
      }
      transpose_eight(x);
      for (std::size_t i = 0; i < kEight; ++i) keep_pairs(x[i], numbers, lists[p + i]);
    }
    numbers = _mm_add_epi16(numbers, _mm_set1_epi16(kEight));
  }
}

// The addition is written out: GCC would add to the products, and then copy them to the sum.
void add_products(__m256i& sum, __m256i pixels, const std::uint8_t* integers) {
  const __m256i products = _mm256_maddubs_epi16(pixels, load(integers));
  asm("vpaddw %1, %0, %0" : "+x"(sum) : "x"(products));
}

// Sums of a pixel by a block of rows, in 16 bits, to (128). They are named, not an array, which GCC
// would keep in memory.
void multiply_pixel(const PixelPairs& list, const std::uint8_t* block, std::int16_t* out) {
  __m256i v0 = _mm256_setzero_si256(), v1 = v0, v2 = v0, v3 = v0;
  __m256i v4 = v0, v5 = v0, v6 = v0, v7 = v0;
  for (std::size_t i = 0; i < list.count; ++i) {
    const __m256i pixels = _mm256_set1_epi16(static_cast<short>(list.pixels[i]));
    const std::uint8_t* at = block + list.pairs[i] * kPairBytes;
    add_products(v0, pixels, at);
    add_products(v1, pixels, at + 32);
    add_products(v2, pixels, at + 64);
    add_products(v3, pixels, at + 96);
    add_products(v4, pixels, at + 128);
    add_products(v5, pixels, at + 160);
    add_products(v6, pixels, at + 192);
    add_products(v7, pixels, at + 224);
  }
  auto* to = reinterpret_cast<__m256i*>(out);
  _mm256_store_si256(to, v0);
  _mm256_store_si256(to + 1, v1);
  _mm256_store_si256(to + 2, v2);
  _mm256_store_si256(to + 3, v3);
  _mm256_store_si256(to + 4, v4);
  _mm256_store_si256(to + 5, v5);
  _mm256_store_si256(to + 6, v6);
  _mm256_store_si256(to + 7, v7);
}

// Eight sums to an output, written or added to what is there.
void write_sums(Output out, std::size_t at, __m128i sums, bool add) {
  if (out.wide) {
    auto* to = reinterpret_cast<__m256i*>(static_cast<std::int32_t*>(out.data) + at);
    const __m256i wide = _mm256_cvtepi16_epi32(sums);
    _mm256_storeu_si256(to, add ? _mm256_add_epi32(wide, _mm256_loadu_si256(to)) : wide);
    return;
  }
  auto* to = reinterpret_cast<__m128i*>(static_cast<std::int16_t*>(out.data) + at);
  _mm_storeu_si128(to, add ? _mm_add_epi16(sums, _mm_loadu_si128(to)) : sums);
}

// Sums (32 pixels, 128 rows) of `rows` rows, the first of them to `at` in the output.
void write_block(const std::int16_t* sums, std::size_t rows, Output out, std::size_t at,
                 bool add) {
  for (std::size_t row = 0; row < rows; row += kEight) {
    for (std::size_t p = 0; p < kPanel; p += kEight) {
      __m128i x[kEight];
      for (std::size_t i = 0; i < kEight; ++i) {
        const std::int16_t* from = sums + (p + i) * kRowBlock + row;
        x[i] = _mm_load_si128(reinterpret_cast<const __m128i*>(from));
      }
      transpose_eight(x);
      const std::size_t count = smaller(kEight, rows - row);
      for (std::size_t i = 0; i < count; ++i) {
        write_sums(out, at + (row + i) * out.row_stride + p, x[i], add);
      }
    }
  }
}

void ints_by_pixels(const std::int8_t* a, std::size_t stride, int max, IntRows x,
                    std::size_t elements, Output out, products::Range range) {
  const std::size_t max_pairs = smaller(pairs_of_chunk(max), (elements + 1) / 2);
  const std::size_t rows = range.row_end - range.row_begin;
  const std::size_t blocks = (rows + kRowBlock - 1) / kRowBlock;
  const Scratch<std::uint8_t> integers(blocks * max_pairs * kPairBytes);
  const Scratch<std::uint16_t> pixels(max_pairs * kPanel);
  const Scratch<PixelPairs> lists(kPanel);
  const Scratch<std::int16_t> sums(kPanel * kRowBlock);
  // A chunk's rows of pixels lie anywhere in the dataset: once read, they serve all panels.
  for (std::size_t begin = 0; begin < elements; begin += 2 * max_pairs) {
    const std::size_t end = smaller(elements, begin + 2 * max_pairs);
    const std::size_t pairs = (end - begin + 1) / 2;
    prefetch(x, begin, end);
    interleave_rows(a + range.row_begin * stride, stride, begin, end, rows, pairs,
                    integers.get());
    for (std::size_t panel = range.panel_begin; panel < range.panel_end; ++panel) {
      list_pairs(x, begin, end, panel, pixels.get(), lists.get());
      for (std::size_t row = 0; row < rows; row += kRowBlock) {
        const std::uint8_t* block = integers.get() + row * pairs * 2;
        for (std::size_t p = 0; p < kPanel; ++p) {
          multiply_pixel(lists.get()[p], block, sums.get() + p * kRowBlock);
        }
        write_block(sums.get(), smaller(kRowBlock, rows - row), out,
                    (range.row_begin + row) * out.row_stride + panel * out.panel_stride,
                    begin > 0);
      }
    }
  }
}

}  // namespace
}  // namespace kernels::pixels
