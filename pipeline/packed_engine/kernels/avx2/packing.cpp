// Packing with AVX2.
//
// | instruction          | does                        | Zen 4: latency, pipes | Skylake: latency, ports |
// |----------------------|-----------------------------|-----------------------|-------------------------|
// | vcmpps ymm           | 8 signs to masks            | 3, 2 of 4             | 4, p01                  |
// | vmovmskps            | 8 masks to a byte           | 5, 1 of 4             | 2, p0                   |
// | vpmovmskb ymm        | 32 top bits to a word       | 6, 1 of 4             | 2, p0                   |
#include "../packing.hpp"

#include "../transpose.hpp"
#include "common.hpp"

#include <cstring>

namespace kernels::packing {
namespace {

void pack_row(const float* x, std::size_t columns, std::uint8_t* row) {
  const __m256 zero = _mm256_setzero_ps();
  std::size_t c = 0;
  for (; c + 8 <= columns; c += 8) {
    const __m256 positive = _mm256_cmp_ps(_mm256_loadu_ps(x + c), zero, _CMP_GE_OQ);
    row[c / 8] = static_cast<std::uint8_t>(_mm256_movemask_ps(positive));
  }
  if (c < columns) scalar.pack_row(x + c, columns - c, row + c / 8);
}

void interleave_panel(const std::uint8_t* matrix, std::size_t rows, std::size_t bytes,
                      std::uint8_t* panel) {
  std::size_t b = 0;
  if (rows == kPanel) {
    for (; b + 32 <= bytes; b += 32) {
      __m256i block[32], columns[32];
      for (std::size_t r = 0; r < 32; ++r) block[r] = load(matrix + r * bytes + b);
      transpose_block(block, columns);
      std::memcpy(panel + b * kPanel, columns, sizeof(columns));
    }
  }
  for (; b < bytes; ++b) {
    std::uint8_t* column = panel + b * kPanel;
    std::memset(column, 0, kPanel);
    for (std::size_t r = 0; r < rows; ++r) column[r] = matrix[r * bytes + b];
  }
}

void transpose_panel(const std::uint8_t* matrix, std::size_t rows, std::size_t columns,
                     std::size_t panel_index, std::uint8_t* panel) {
  const std::size_t bytes = bytes_for(columns);
  const std::size_t first = panel_index * kPanel / 8;
  const std::size_t width = bytes - first < 4 ? bytes - first : 4;
  for (std::size_t byte = 0; byte < bytes_for(rows); ++byte) {
    // Eight rows of 32 bits. Byte r of quadword q of `gathered` holds columns 8 q to 8 q + 7 of
    // row r; the three steps transpose the 8 by 8 bits of all four quadwords at once (Warren,
    // "Hacker's Delight", 2nd edition, section 7-3).
    alignas(32) std::uint8_t gathered[kPanel] = {};
    const std::size_t count = rows - byte * 8 < 8 ? rows - byte * 8 : 8;
    for (std::size_t r = 0; r < count; ++r) {
      const std::uint8_t* row = matrix + (byte * 8 + r) * bytes + first;
      for (std::size_t q = 0; q < width; ++q) gathered[q * 8 + r] = row[q];
    }
    __m256i x = _mm256_load_si256(reinterpret_cast<const __m256i*>(gathered));
    const auto swap = [&x](int shift, long long mask) {
      const __m256i t = _mm256_and_si256(_mm256_xor_si256(x, _mm256_srli_epi64(x, shift)),
                                         _mm256_set1_epi64x(mask));
      x = _mm256_xor_si256(x, _mm256_xor_si256(t, _mm256_slli_epi64(t, shift)));
    };
    swap(7, 0x00AA00AA00AA00AALL);
    swap(14, 0x0000CCCC0000CCCCLL);
    swap(28, 0x00000000F0F0F0F0LL);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(panel + byte * kPanel), x);
  }
}

}  // namespace

const Kernels avx2{pack_row, interleave_panel, transpose_panel};

}  // namespace kernels::packing
