// NumPy arrays at the door: checked in, with the argument's name in every message, and out.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

namespace arrays {

namespace nb = nanobind;

template <typename T>
inline constexpr const char* kTypeName = nullptr;
template <>
inline constexpr const char* kTypeName<float> = "float32";
template <>
inline constexpr const char* kTypeName<std::uint8_t> = "uint8";

template <typename T>
struct View {
  const T* data;
  std::vector<std::size_t> shape;
};

// The array behind `object`, C-contiguous, aligned, of type T and with `dimensions` axes.
// Throws TypeError or ValueError that begin with `name`.
template <typename T>
View<T> check(nb::handle object, const char* name, std::size_t dimensions) {
  const std::string argument = name;
  nb::ndarray<nb::ro> array;
  if (!nb::try_cast(object, array, false) || array.device_type() != nb::device::cpu::value) {
    throw nb::type_error((argument + " must be a NumPy array").c_str());
  }
  if (array.dtype() != nb::dtype<T>()) {
    throw nb::type_error((argument + " must be of type " + kTypeName<T>).c_str());
  }
  if (array.ndim() != dimensions) {
    throw nb::value_error((argument + " must have " + std::to_string(dimensions) +
                           " axes, it has " + std::to_string(array.ndim()))
                              .c_str());
  }
  if (array.size() == 0) throw nb::value_error((argument + " must not be empty").c_str());
  View<T> view{static_cast<const T*>(array.data()), {}};
  std::int64_t expected = 1;
  for (std::size_t axis = dimensions; axis-- > 0;) {
    const std::size_t size = array.shape(axis);
    if (size > 1 && array.stride(axis) != expected) {
      throw nb::value_error((argument + " must be C-contiguous").c_str());
    }
    expected *= static_cast<std::int64_t>(size);
    view.shape.insert(view.shape.begin(), size);
  }
  if (reinterpret_cast<std::uintptr_t>(view.data) % alignof(T) != 0) {
    throw nb::value_error((argument + " must be aligned to its type").c_str());
  }
  return view;
}

template <typename T>
struct Result {
  std::unique_ptr<T[]> data;
  std::vector<std::size_t> shape;

  explicit Result(std::initializer_list<std::size_t> sizes) : shape(sizes) {
    std::size_t count = 1;
    for (const std::size_t size : shape) count *= size;
    data.reset(new T[count]);
  }

  // Hand the memory over to a NumPy array.
  nb::ndarray<nb::numpy, T> release() {
    T* raw = data.release();
    nb::capsule owner(raw, [](void* p) noexcept { delete[] static_cast<T*>(p); });
    return nb::ndarray<nb::numpy, T>(raw, shape.size(), shape.data(), owner);
  }
};

}  // namespace arrays
