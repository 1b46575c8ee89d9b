// NumPy arrays at the door: checked, with the argument's name in every message.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

namespace arrays {

namespace nb = nanobind;

template <typename T>
inline constexpr const char* kTypeName = nullptr;
template <>
inline constexpr const char* kTypeName<float> = "float32";
template <>
inline constexpr const char* kTypeName<std::uint8_t> = "uint8";
template <>
inline constexpr const char* kTypeName<std::int8_t> = "int8";
template <>
inline constexpr const char* kTypeName<std::int16_t> = "int16";
template <>
inline constexpr const char* kTypeName<std::uint16_t> = "uint16";
template <>
inline constexpr const char* kTypeName<std::int32_t> = "int32";
template <>
inline constexpr const char* kTypeName<std::int64_t> = "int64";

// Whatever the type of its elements.
struct AnyView {
  void* data;
  std::vector<std::size_t> shape;
  nb::dlpack::dtype type;

  template <typename T>
  bool holds() const {
    return type == nb::dtype<T>();
  }
};

template <typename T>
struct View {
  T* data;
  std::vector<std::size_t> shape;
};

// The array behind `object`: not empty, C-contiguous, with `dimensions` axes.
// Throws TypeError or ValueError that begin with `name`.
inline AnyView check_any(nb::handle object, const char* name, std::size_t dimensions,
                         bool writable) {
  const std::string argument = name;
  nb::ndarray<nb::ro> array;
  if (!nb::try_cast(object, array, false) || array.device_type() != nb::device::cpu::value) {
    throw nb::type_error((argument + " must be a NumPy array").c_str());
  }
  nb::ndarray<> writable_array;
  if (writable && !nb::try_cast(object, writable_array, false)) {
    throw nb::value_error((argument + " must be writable").c_str());
  }
  if (array.ndim() != dimensions) {
    throw nb::value_error((argument + " must have " + std::to_string(dimensions) +
                           " axes, it has " + std::to_string(array.ndim()))
                              .c_str());
  }
  if (array.size() == 0) throw nb::value_error((argument + " must not be empty").c_str());
  AnyView view{const_cast<void*>(array.data()), {}, array.dtype()};
  view.shape.resize(dimensions);
  std::int64_t expected = 1;
  for (std::size_t axis = dimensions; axis-- > 0;) {
    const std::size_t size = array.shape(axis);
    if (size > 1 && array.stride(axis) != expected) {
      throw nb::value_error((argument + " must be C-contiguous").c_str());
    }
    expected *= static_cast<std::int64_t>(size);
    view.shape[axis] = size;
  }
  const std::size_t alignment = array.itemsize();
  if (reinterpret_cast<std::uintptr_t>(view.data) % alignment != 0) {
    throw nb::value_error((argument + " must be aligned to its type").c_str());
  }
  return view;
}

template <typename T>
View<T> check(nb::handle object, const char* name, std::size_t dimensions) {
  const AnyView any = check_any(object, name, dimensions, !std::is_const_v<T>);
  using Plain = std::remove_const_t<T>;
  if (!any.holds<Plain>()) {
    throw nb::type_error(
        (std::string(name) + " must be of type " + kTypeName<Plain>).c_str());
  }
  return {static_cast<T*>(any.data), any.shape};
}

// Require that axis `axis` of the array called `name` has `size` elements.
inline void require(const std::vector<std::size_t>& shape, std::size_t axis, std::size_t size,
                    const char* name) {
  if (shape[axis] == size) return;
  throw nb::value_error((std::string(name) + " must have " + std::to_string(size) +
                         " elements on axis " + std::to_string(axis) + ", it has " +
                         std::to_string(shape[axis]))
                            .c_str());
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
