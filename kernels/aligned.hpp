// Memory that begins at a cache line: a register's load then never touches two.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

namespace kernels {

// Uninitialized. Throws std::bad_alloc.
class AlignedBytes {
 public:
  explicit AlignedBytes(std::size_t size)
      : data_(static_cast<std::uint8_t*>(::operator new(size, kLine))) {}
  std::uint8_t* get() const { return data_.get(); }

 private:
  static constexpr std::align_val_t kLine{64};
  struct Free {
    void operator()(std::uint8_t* p) const { ::operator delete(p, kLine); }
  };
  std::unique_ptr<std::uint8_t, Free> data_;
};

}  // namespace kernels
