// What the AVX2 files share. All of it has internal linkage, and no template of the standard
// library is used here: an inline function that is compiled with AVX2 in these files could
// otherwise be the copy that the linker keeps for the scalar ones.
#pragma once

#include "../operands.hpp"

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <new>

namespace kernels {
namespace {

inline __m256i load(const void* p) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(p));
}

// The same, in the register that it is in: in a loop that adds to many sums GCC would copy every
// sum to another register and back, a third of all instructions.
inline __m256i in_place(__m256i x) {
  asm("" : "+x"(x));
  return x;
}

inline std::size_t smaller(std::size_t a, std::size_t b) { return a < b ? a : b; }

// Ask for rows [begin, end) before they are needed. The processor does not foresee the order of a
// batch's images.
inline void prefetch(IntRows rows, std::size_t begin, std::size_t end) {
  constexpr std::size_t kLine = 64;
  if (rows.index == nullptr) return;
  for (std::size_t m = begin; m < end; ++m) {
    const std::uint8_t* row = rows.row(m);
    for (std::size_t byte = 0; byte < rows.stride; byte += kLine) _mm_prefetch(row + byte, _MM_HINT_T0);
  }
}

// Memory for a call, aligned to a cache line: no register's load touches two. Throws
// std::bad_alloc.
template <typename T>
class Scratch {
 public:
  explicit Scratch(std::size_t count)
      : data_(static_cast<T*>(
            ::operator new(count * sizeof(T) + 1, kLine))) {}
  ~Scratch() { ::operator delete(data_, kLine); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  T* get() const { return data_; }

 private:
  static constexpr std::align_val_t kLine{64};
  T* data_;
};

}  // namespace
}  // namespace kernels
