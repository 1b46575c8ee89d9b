// What all bindings share: the choice of kernels, threads, sums, random draws.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>

#include <optional>
#include <string>
#include <tuple>

#include "../arrays.hpp"
#include "../operations.hpp"
#include "../parallel.hpp"

namespace bindings {

namespace nb = nanobind;
using namespace nb::literals;

using arrays::check;
using arrays::require;
using kernels::bytes_for;
using kernels::kPanel;
using kernels::panels_for;
using kernels::Sums;
using kernels::Team;

using DrawTuple = std::tuple<std::uint32_t, std::uint32_t, std::uint32_t>;

inline const kernels::InstructionSet& chosen(const std::string& name) {
  return kernels::instruction_set(name.empty() ? kernels::requested_instruction_set()
                                               : name.c_str());
}

// The whole number behind `object`, of a range whose ends `range` writes out. nanobind would refuse
// a number that is negative or too large without naming it. Throws TypeError or ValueError that
// begin with `name`.
inline long long to_integer(nb::handle object, const char* name, long long least, long long max,
                            const char* range) {
  const nb::object integer = nb::steal(PyNumber_Index(object.ptr()));
  if (!integer.is_valid()) {
    PyErr_Clear();
    throw nb::type_error((std::string(name) + " must be an integer").c_str());
  }
  int overflow = 0;
  const long long value = PyLong_AsLongLongAndOverflow(integer.ptr(), &overflow);
  if (overflow != 0 || value < least || value > max) {
    throw nb::value_error((std::string(name) + " must be in " + range).c_str());
  }
  return value;
}

// How many there are, or which: at most more than any memory holds.
inline std::size_t to_count(nb::handle object, const char* name) {
  return static_cast<std::size_t>(to_integer(object, name, 0, 1LL << 40, "0..2^40"));
}

inline int checked_threads(nb::handle threads) {
  return static_cast<int>(to_integer(threads, "threads", 1, 1024, "1..1024"));
}

// How many threads to start for so much work: see parallel.hpp.
inline int checked_team(nb::handle threads, std::size_t work, std::size_t of_thread) {
  return kernels::worth_starting(work, of_thread, checked_threads(threads));
}

inline kernels::Draw to_draw(const DrawTuple& draw) {
  return {std::get<0>(draw), std::get<1>(draw), std::get<2>(draw)};
}

inline Team team_of(const std::string& name, nb::handle threads) {
  return {chosen(name), checked_threads(threads)};
}

inline bool is_wide(const arrays::AnyView& view, const char* name) {
  if (view.holds<std::int32_t>()) return true;
  if (view.holds<std::int16_t>()) return false;
  throw nb::type_error((std::string(name) + " must be of type int16 or int32").c_str());
}

inline Sums check_sums(nb::handle object, const char* name) {
  const auto view = arrays::check_any(object, name, 3, false);
  require(view.shape, 2, kPanel, name);
  return {view.data, is_wide(view, name), view.shape[0], view.shape[1]};
}

// Height, width and channels of the map that a convolution reads, its stride, whether it pools.
using ShapeTuple = std::tuple<std::size_t, std::size_t, std::size_t, std::size_t, bool>;

inline kernels::convolution::Shape to_shape(const ShapeTuple& tuple, std::size_t features) {
  constexpr std::size_t kMaxSide = 1 << 15;
  const auto [height, width, channels, stride, pool] = tuple;
  const kernels::convolution::Shape shape{height, width, channels, features, stride, pool};
  if (height == 0 || width == 0 || height > kMaxSide || width > kMaxSide || channels == 0 ||
      channels > kernels::convolution::kMaxChannels) {
    throw nb::value_error("a convolution's map is empty or too large");
  }
  if (stride != 1 && stride != 2) throw nb::value_error("a convolution's stride must be 1 or 2");
  if (features == 0 || features % 8 != 0) {
    throw nb::value_error("a convolution's features must be a multiple of 8");
  }
  if (shape.out() == 0) throw nb::value_error("a convolution pools its map away");
  return shape;
}

inline std::size_t map_size(const kernels::convolution::Shape& shape) {
  return shape.out() * shape.features;
}

// Throw unless a convolution reads pixels, or the map of the one before it.
inline void check_follows(const kernels::convolution::Shape& shape,
                          const kernels::convolution::Shape* before) {
  if (before == nullptr) {
    if (shape.channels > kernels::convolution::kMaxPixelChannels) {
      throw nb::value_error("pixels have more channels than sums can hold");
    }
  } else if (shape.height != before->out_height() || shape.width != before->out_width() ||
             shape.channels != before->features) {
    throw nb::value_error("a convolution's map must be that of the one before");
  }
}

using Index = std::optional<nb::handle>;

// Rows of nibbles, all of them or those that the index names.
struct NibbleRows {
  kernels::IntRows rows;
  std::size_t count;
};

inline NibbleRows check_nibbles(nb::handle object, const char* name, const Index& index) {
  const auto x = check<const std::uint8_t>(object, name, 2);
  if (!index) return {{x.data, x.shape[1], nullptr, kernels::Form::nibbles}, x.shape[0]};
  const auto rows = check<const std::int64_t>(*index, "index", 1);
  for (std::size_t i = 0; i < rows.shape[0]; ++i) {
    if (rows.data[i] < 0 || static_cast<std::size_t>(rows.data[i]) >= x.shape[0]) {
      throw nb::value_error((std::string("index must name rows of ") + name).c_str());
    }
  }
  return {{x.data, x.shape[1], rows.data, kernels::Form::nibbles}, rows.shape[0]};
}

// Latent weights of RowProp, int8 or int16, and their shape.
inline kernels::optimizers::LatentWeights check_latent(nb::handle object, arrays::Shape& shape) {
  const auto latent = arrays::check_any(object, "latent", 2, true);
  if (!latent.holds<std::int8_t>() && !latent.holds<std::int16_t>()) {
    throw nb::type_error("latent must be of type int8 or int16");
  }
  shape = latent.shape;
  return {latent.data, static_cast<int>(latent.type.size * 8)};
}

void bind_packing(nb::module_& m);
void bind_products(nb::module_& m);
void bind_layers(nb::module_& m);
void bind_optimizers(nb::module_& m);
void bind_network(nb::module_& m);
void bind_training(nb::module_& m);

}  // namespace bindings
