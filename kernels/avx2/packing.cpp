// Packing with AVX2.
//
// | instruction          | does                        | Zen 4: latency, pipes | Skylake: latency, ports |
// |----------------------|-----------------------------|-----------------------|-------------------------|
// | vcmpps ymm           | 8 signs to masks            | 3, 2 of 4             | 4, p01                  |
// | vmovmskps            | 8 masks to a byte           | 5, 1 of 4             | 2, p0                   |
// | vpmovmskb ymm        | 32 top bits to a word       | 6, 1 of 4             | 2, p0                   |
#include "../portable/packing.hpp"

#include "common.hpp"

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

}  // namespace

const Kernels avx2{pack_row, interleave_panel, transpose_panel};

}  // namespace kernels::packing
