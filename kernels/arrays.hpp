// NumPy arrays at the door: checked, with the argument's name in every message.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

namespace arrays {

namespace nb = nanobind;

// What the elements are: their kind (f, i, u; ? for any other) and bytes.
struct Type {
  char kind;
  std::size_t size;

  bool operator==(const Type&) const = default;
};

template <typename T>
constexpr Type type_of() {
  return {std::is_floating_point_v<T> ? 'f' : std::is_signed_v<T> ? 'i' : 'u', sizeof(T)};
}

// As NumPy calls it.
inline std::string name_of(Type type) {
  const char* kind = type.kind == 'f' ? "float" : type.kind == 'i' ? "int" : "uint";
  return kind + std::to_string(8 * type.size);
}

inline constexpr std::size_t kMaxAxes = 3;
using Shape = std::array<std::size_t, kMaxAxes>;

// Whatever the type of its elements.
struct AnyView {
  void* data;
  Shape shape;
  std::size_t axes;
  Type type;

  template <typename T>
  bool holds() const {
    return type == type_of<T>();
  }
};

template <typename T>
struct View {
  T* data;
  Shape shape;
};

// numpy.ndarray, once the module is loaded.
inline PyTypeObject* numpy_array = nullptr;

inline void find_numpy() {
  nb::object type = nb::module_::import_("numpy").attr("ndarray");
  numpy_array = reinterpret_cast<PyTypeObject*>(type.release().ptr());
}

// An array's memory. The buffer protocol, not nanobind's arrays: a step of a small network is dozens
// of calls, and these cost a third as much.
//
// Of NumPy's arrays only: they do not move while they are referred to, as another thread might make
// a bytearray or an array.array do after this has given them back and before the call is over.
class Borrowed {
 public:
  Borrowed(nb::handle object, const char* name) {
    // Of what is writable, an export for reading says so too.
    if (PyObject_TypeCheck(object.ptr(), numpy_array) &&
        PyObject_GetBuffer(object.ptr(), &buffer_, PyBUF_RECORDS_RO) == 0) {
      return;
    }
    PyErr_Clear();
    throw nb::type_error((std::string(name) + " must be a NumPy array").c_str());
  }
  ~Borrowed() { PyBuffer_Release(&buffer_); }
  Borrowed(const Borrowed&) = delete;
  Borrowed& operator=(const Borrowed&) = delete;

  const Py_buffer& operator*() const { return buffer_; }

  Type type() const {
    const auto size = static_cast<std::size_t>(buffer_.itemsize);
    // Without a format these are bytes; with two characters it has another order of bytes, or
    // several fields.
    const char* format = buffer_.format == nullptr ? "B" : buffer_.format;
    if (format[0] == '\0' || format[1] != '\0') return {'?', size};
    if (std::strchr("fd", format[0]) != nullptr) return {'f', size};
    if (std::strchr("bhilq", format[0]) != nullptr) return {'i', size};
    return {std::strchr("BHILQ", format[0]) != nullptr ? 'u' : '?', size};
  }

 private:
  Py_buffer buffer_;
};

[[noreturn]] inline void refuse(const char* name, const std::string& what) {
  throw nb::value_error((std::string(name) + " must " + what).c_str());
}

// The array behind `object`: not empty, C-contiguous, with `axes` axes, or `other_axes`.
// Throws TypeError or ValueError that begin with `name`.
inline AnyView check_any(nb::handle object, const char* name, std::size_t axes, bool writable,
                         std::size_t other_axes = 0) {
  const Borrowed borrowed(object, name);
  const Py_buffer& array = *borrowed;
  if (writable && array.readonly != 0) refuse(name, "be writable");
  const auto dimensions = static_cast<std::size_t>(array.ndim);
  if (dimensions != axes && (other_axes == 0 || dimensions != other_axes)) {
    refuse(name, "have " + std::to_string(axes) + " axes, it has " + std::to_string(dimensions));
  }
  if (array.len == 0) refuse(name, "not be empty");
  AnyView view{array.buf, {}, dimensions, borrowed.type()};
  Py_ssize_t expected = array.itemsize;
  for (std::size_t axis = dimensions; axis-- > 0;) {
    const Py_ssize_t size = array.shape[axis];
    if (size > 1 && array.strides[axis] != expected) refuse(name, "be C-contiguous");
    expected *= size;
    view.shape[axis] = static_cast<std::size_t>(size);
  }
  if (reinterpret_cast<std::uintptr_t>(view.data) % view.type.size != 0) {
    refuse(name, "be aligned to its type");
  }
  return view;
}

template <typename T>
View<T> check(nb::handle object, const char* name, std::size_t axes) {
  const AnyView any = check_any(object, name, axes, !std::is_const_v<T>);
  using Plain = std::remove_const_t<T>;
  if (!any.holds<Plain>()) {
    throw nb::type_error(
        (std::string(name) + " must be of type " + name_of(type_of<Plain>())).c_str());
  }
  return {static_cast<T*>(any.data), any.shape};
}

// Require that axis `axis` of the array called `name` has `size` elements.
inline void require(const Shape& shape, std::size_t axis, std::size_t size, const char* name) {
  if (shape[axis] == size) return;
  refuse(name, "have " + std::to_string(size) + " elements on axis " + std::to_string(axis) +
                   ", it has " + std::to_string(shape[axis]));
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
