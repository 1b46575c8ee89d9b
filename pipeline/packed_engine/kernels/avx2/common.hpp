// What the AVX2 files share. All of it has internal linkage, and no template of the standard
// library is used here: an inline function that is compiled with AVX2 in these files could
// otherwise be the copy that the linker keeps for the scalar ones.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <new>

namespace kernels {
namespace {

inline __m256i load(const void* p) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(p));
}

inline std::size_t smaller(std::size_t a, std::size_t b) { return a < b ? a : b; }

// Memory for a call, aligned to a register. Throws std::bad_alloc.
template <typename T>
class Scratch {
 public:
  explicit Scratch(std::size_t count)
      : data_(static_cast<T*>(
            ::operator new(count * sizeof(T) + 1, std::align_val_t{sizeof(__m256i)}))) {}
  ~Scratch() { ::operator delete(data_, std::align_val_t{sizeof(__m256i)}); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  T* get() const { return data_; }

 private:
  T* data_;
};

}  // namespace
}  // namespace kernels
