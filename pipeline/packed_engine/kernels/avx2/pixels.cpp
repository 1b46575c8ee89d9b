// Integers by pixels with AVX2: 32 multiplications an instruction, in 8 bits.
//
// | instruction          | does                          | Zen 4: latency, pipes | Skylake: latency, ports |
// |----------------------|-------------------------------|-----------------------|-------------------------|
// | vpmaddubsw ymm       | 32 products, pairs added      | 3, 2 of 4             | 5, p01                  |
// | vpaddw ymm           | add                           | 1, 4 of 4             | 1, p015                 |
// | vpbroadcastd load    | four samples' integers to all | load                  | load                    |
#include "../pixels.hpp"

#include "common.hpp"

namespace kernels::pixels {
namespace {

// A lane of 32 bits holds one pixel of four samples, so that a plain broadcast load brings the
// other side's four integers, and 8 pixels make a register.
constexpr std::size_t kQuad = 4;
constexpr std::size_t kVectors = kPanel * kQuad / sizeof(__m256i);
// 512 samples of a panel are 16 KiB: half of the first-level cache.
constexpr std::size_t kMostChunk = 512;
// Two rows by four registers of pixels: 8 sums, 2 integers, a pixel and a product in 16 registers.
constexpr std::size_t kTileRows = 2;

// How many samples add up in 16 bits: a lane takes two products, of at most 15 most, of every four.
std::size_t chunk_of(int most) {
  const auto quads = static_cast<std::size_t>(32767 / (2 * 15 * most));
  return smaller(kMostChunk, quads * kQuad);
}

__m256i pixels_of(IntRows x, std::size_t sample, std::size_t end, std::size_t panel) {
  if (sample >= end) return _mm256_setzero_si256();
  const auto* at = reinterpret_cast<const __m128i*>(x.row(sample) + panel * kPanel / 2);
  const __m128i bytes = _mm_loadu_si128(at);
  const __m128i nibble = _mm_set1_epi8(15);
  const __m128i low = _mm_and_si128(bytes, nibble);
  const __m128i high = _mm_and_si128(_mm_srli_epi16(bytes, 4), nibble);
  return _mm256_set_m128i(_mm_unpackhi_epi8(low, high), _mm_unpacklo_epi8(low, high));
}

// Samples [begin, end) of a panel to (quads, 32 pixels, 4 samples).
void gather(IntRows x, std::size_t begin, std::size_t end, std::size_t panel,
            std::uint8_t* quads) {
  auto* to = reinterpret_cast<__m256i*>(quads);
  for (std::size_t b = begin; b < end; b += kQuad, to += kVectors) {
    __m256i row[kQuad];
    for (std::size_t i = 0; i < kQuad; ++i) row[i] = pixels_of(x, b + i, end, panel);
    const __m256i low01 = _mm256_unpacklo_epi8(row[0], row[1]);
    const __m256i low23 = _mm256_unpacklo_epi8(row[2], row[3]);
    const __m256i high01 = _mm256_unpackhi_epi8(row[0], row[1]);
    const __m256i high23 = _mm256_unpackhi_epi8(row[2], row[3]);
    const __m256i a = _mm256_unpacklo_epi16(low01, low23);
    const __m256i b8 = _mm256_unpackhi_epi16(low01, low23);
    const __m256i c = _mm256_unpacklo_epi16(high01, high23);
    const __m256i d = _mm256_unpackhi_epi16(high01, high23);
    _mm256_store_si256(to, _mm256_permute2x128_si256(a, b8, 0x20));
    _mm256_store_si256(to + 1, _mm256_permute2x128_si256(c, d, 0x20));
    _mm256_store_si256(to + 2, _mm256_permute2x128_si256(a, b8, 0x31));
    _mm256_store_si256(to + 3, _mm256_permute2x128_si256(c, d, 0x31));
  }
}

__m256i integers_of(const std::int8_t* quad) {
  int word;
  __builtin_memcpy(&word, quad, sizeof(word));
  return _mm256_set1_epi32(word);
}

// Sums of one row by a panel, each lane of two products in 16 bits. Named, not an array, and never
// pointed to: GCC would keep them in memory.
struct RowSums {
  __m256i v0 = _mm256_setzero_si256();
  __m256i v1 = _mm256_setzero_si256();
  __m256i v2 = _mm256_setzero_si256();
  __m256i v3 = _mm256_setzero_si256();
};

void write_sum(std::int32_t* out, __m256i sums, bool add) {
  auto* to = reinterpret_cast<__m256i*>(out);
  __m256i sum = _mm256_madd_epi16(sums, _mm256_set1_epi16(1));
  if (add) sum = _mm256_add_epi32(sum, _mm256_loadu_si256(to));
  _mm256_storeu_si256(to, sum);
}

void write_row(std::int32_t* out, RowSums sums, bool add) {
  write_sum(out, sums.v0, add);
  write_sum(out + 8, sums.v1, add);
  write_sum(out + 16, sums.v2, add);
  write_sum(out + 24, sums.v3, add);
}

void add_products(__m256i& sum, __m256i pixels, __m256i integers) {
  sum = in_place(_mm256_add_epi16(sum, _mm256_maddubs_epi16(pixels, integers)));
}

template <std::size_t Rows>
void tile(const std::int8_t* a, std::size_t stride, const std::uint8_t* pixels, std::size_t quads,
          std::int32_t* out, std::size_t out_stride, bool add) {
  RowSums first, second;
  const auto* x = reinterpret_cast<const __m256i*>(pixels);
  for (std::size_t quad = 0; quad < quads; ++quad, a += kQuad, x += kVectors) {
    const __m256i q0 = integers_of(a);
    const __m256i q1 = integers_of(a + (Rows - 1) * stride);
    const auto multiply = [&](std::size_t v, __m256i& of_first, __m256i& of_second) {
      const __m256i pixel = _mm256_load_si256(x + v);
      add_products(of_first, pixel, q0);
      if constexpr (Rows == 2) add_products(of_second, pixel, q1);
    };
    multiply(0, first.v0, second.v0);
    multiply(1, first.v1, second.v1);
    multiply(2, first.v2, second.v2);
    multiply(3, first.v3, second.v3);
  }
  write_row(out, first, add);
  if constexpr (Rows == 2) write_row(out + out_stride, second, add);
}

void ints_by_pixels(const std::int8_t* a, std::size_t stride, int most, IntRows x,
                    std::size_t elements, Output out, products::Range range) {
  const std::size_t chunk = chunk_of(most);
  const Scratch<std::uint8_t> quads(chunk * kPanel);
  // A chunk's rows of pixels lie anywhere in the dataset: once read, they serve all panels.
  for (std::size_t begin = 0; begin < elements; begin += chunk) {
    const std::size_t end = smaller(elements, begin + chunk);
    const std::size_t count = (end - begin + kQuad - 1) / kQuad;
    prefetch(x, begin, end);
    for (std::size_t panel = range.panel_begin; panel < range.panel_end; ++panel) {
      gather(x, begin, end, panel, quads.get());
      auto* sums = static_cast<std::int32_t*>(out.data) + panel * out.panel_stride;
      std::size_t row = range.row_begin;
      for (; row + kTileRows <= range.row_end; row += kTileRows) {
        tile<kTileRows>(a + row * stride + begin, stride, quads.get(), count,
                        sums + row * out.row_stride, out.row_stride, begin > 0);
      }
      for (; row < range.row_end; ++row) {
        tile<1>(a + row * stride + begin, stride, quads.get(), count, sums + row * out.row_stride,
                out.row_stride, begin > 0);
      }
    }
  }
}

}  // namespace

const Kernels avx2{ints_by_pixels};

}  // namespace kernels::pixels
