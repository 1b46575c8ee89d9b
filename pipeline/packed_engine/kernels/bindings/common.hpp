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
#include "../dispatch.hpp"
#include "../parallel.hpp"

namespace bindings {

namespace nb = nanobind;
using namespace nb::literals;

using arrays::check;
using arrays::require;
using kernels::bytes_for;
using kernels::kPanel;
using kernels::panels_for;

using DrawTuple = std::tuple<std::uint32_t, std::uint32_t, std::uint32_t>;

inline const kernels::InstructionSet& chosen(const std::string& name) {
  return kernels::instruction_set(name.empty() ? kernels::requested_instruction_set()
                                               : name.c_str());
}

inline int checked_threads(int threads) {
  if (threads < 1 || threads > 1024) throw nb::value_error("threads must be in 1..1024");
  return threads;
}

// How many threads to start for so much work: see parallel.hpp.
inline int checked_team(int threads, std::size_t work, std::size_t of_thread) {
  return kernels::worth_starting(work, of_thread, checked_threads(threads));
}

inline kernels::Draw to_draw(const DrawTuple& draw) {
  return {std::get<0>(draw), std::get<1>(draw), std::get<2>(draw)};
}

// Sums, int16 or int32: (panels, rows, 32).
struct SumsView {
  void* data;
  bool wide;
  std::size_t panels, rows;

  const void* panel(std::size_t p) const {
    const std::size_t at = p * rows * kPanel;
    return wide ? static_cast<const void*>(static_cast<const std::int32_t*>(data) + at)
                : static_cast<const void*>(static_cast<const std::int16_t*>(data) + at);
  }
};

inline bool is_wide(const arrays::AnyView& view, const char* name) {
  if (view.holds<std::int32_t>()) return true;
  if (view.holds<std::int16_t>()) return false;
  throw nb::type_error((std::string(name) + " must be of type int16 or int32").c_str());
}

inline SumsView check_sums(nb::handle object, const char* name) {
  const auto view = arrays::check_any(object, name, 3, false);
  require(view.shape, 2, kPanel, name);
  return {view.data, is_wide(view, name), view.shape[0], view.shape[1]};
}

void bind_packing(nb::module_& m);
void bind_products(nb::module_& m);
void bind_layers(nb::module_& m);
void bind_optimizers(nb::module_& m);
void bind_network(nb::module_& m);

}  // namespace bindings
