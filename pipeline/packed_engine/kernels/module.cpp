// The Python module: arguments checked, the interpreter's lock released, work divided.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>

#include <algorithm>
#include <string>

#include "arrays.hpp"
#include "dispatch.hpp"
#include "parallel.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using arrays::check;
using arrays::Result;
using kernels::bytes_for;
using kernels::kPanel;
using kernels::panels_for;
using Bytes = nb::ndarray<nb::numpy, std::uint8_t>;
using Ints = nb::ndarray<nb::numpy, std::int32_t>;

const kernels::InstructionSet& chosen(const std::string& name) {
  return kernels::instruction_set(name.empty() ? kernels::requested_instruction_set()
                                               : name.c_str());
}

int checked_threads(int threads) {
  if (threads < 1 || threads > 1024) throw nb::value_error("threads must be in 1..1024");
  return threads;
}

// The panels of one side of a product, which must fit the other side's bytes.
kernels::products::PanelOperand checked_panels(nb::handle object, std::size_t outputs,
                                               std::size_t elements) {
  const auto b = check<std::uint8_t>(object, "b", 3);
  if (b.shape[2] != kPanel) throw nb::value_error("b must have 32 bytes on its last axis");
  if (outputs == 0 || panels_for(outputs) != b.shape[0]) {
    throw nb::value_error("outputs does not fit the panels of b");
  }
  if (bytes_for(elements) != b.shape[1]) {
    throw nb::value_error("b must have one byte for 8 elements on its second axis");
  }
  return {b.data, outputs, b.shape[1]};
}

Bytes pack_rows(nb::handle x_object, int threads, const std::string& name) {
  const auto x = check<float>(x_object, "x", 2);
  const auto* packing = chosen(name).packing;
  const std::size_t rows = x.shape[0], columns = x.shape[1];
  Result<std::uint8_t> out({rows, bytes_for(columns)});
  const int team = checked_threads(threads);
  {
    nb::gil_scoped_release unlocked;
    kernels::for_each(rows, team, [&](std::size_t r) {
      packing->pack_row(x.data + r * columns, columns, out.data.get() + r * bytes_for(columns));
    });
  }
  return out.release();
}

Bytes interleave(nb::handle rows_object, int threads, const std::string& name) {
  const auto rows = check<std::uint8_t>(rows_object, "rows", 2);
  const auto* packing = chosen(name).packing;
  const std::size_t count = rows.shape[0], bytes = rows.shape[1], panels = panels_for(count);
  Result<std::uint8_t> out({panels, bytes, kPanel});
  const int team = checked_threads(threads);
  {
    nb::gil_scoped_release unlocked;
    kernels::for_each(panels, team, [&](std::size_t p) {
      packing->interleave_panel(rows.data + p * kPanel * bytes, kernels::rows_in_panel(p, count),
                                bytes, out.data.get() + p * bytes * kPanel);
    });
  }
  return out.release();
}

Bytes transpose(nb::handle rows_object, std::size_t columns, int threads,
                const std::string& name) {
  const auto rows = check<std::uint8_t>(rows_object, "rows", 2);
  if (columns == 0 || bytes_for(columns) != rows.shape[1]) {
    throw nb::value_error("columns does not fit the bytes of rows");
  }
  const auto* packing = chosen(name).packing;
  const std::size_t count = rows.shape[0], panels = panels_for(columns);
  Result<std::uint8_t> out({panels, bytes_for(count), kPanel});
  const int team = checked_threads(threads);
  {
    nb::gil_scoped_release unlocked;
    kernels::for_each(panels, team, [&](std::size_t p) {
      packing->transpose_panel(rows.data, count, columns, p,
                               out.data.get() + p * bytes_for(count) * kPanel);
    });
  }
  return out.release();
}

Ints bits_by_bits(nb::handle a_object, nb::handle b_object, std::size_t elements,
                  std::size_t outputs, int threads, const std::string& name) {
  const auto a = check<std::uint8_t>(a_object, "a", 2);
  if (elements == 0 || elements > kernels::products::kMostBits) {
    throw nb::value_error("elements must be in 1..2^31 - 1");
  }
  const auto b = checked_panels(b_object, outputs, elements);
  if (a.shape[1] != b.bytes) {
    throw nb::value_error("a must have as many bytes a row as b has on its second axis");
  }
  const auto* products = chosen(name).products;
  Result<std::int32_t> out({a.shape[0], outputs});
  const int team = checked_threads(threads);
  {
    nb::gil_scoped_release unlocked;
    kernels::divide(a.shape[0], panels_for(outputs), team, [&](kernels::products::Range range) {
      products->bits_by_bits(a.data, elements, b, out.data.get(), range);
    });
  }
  return out.release();
}

Ints ints_by_bits(nb::handle a_object, int offset, nb::handle b_object, std::size_t outputs,
                  int threads, const std::string& name) {
  const auto a = check<std::uint8_t>(a_object, "a", 2);
  const std::size_t elements = a.shape[1];
  if (elements > kernels::products::kMostInts) {
    throw nb::value_error("a has too many elements a row: sums could overflow");
  }
  const auto b = checked_panels(b_object, outputs, elements);
  if (offset < 0 || offset > 15) throw nb::value_error("offset must be in 0..15");
  if (*std::max_element(a.data, a.data + a.shape[0] * elements) > 15) {
    throw nb::value_error("a must hold values in 0..15");
  }
  const auto* products = chosen(name).products;
  Result<std::int32_t> out({a.shape[0], outputs});
  const int team = checked_threads(threads);
  {
    nb::gil_scoped_release unlocked;
    kernels::divide(a.shape[0], panels_for(outputs), team, [&](kernels::products::Range range) {
      products->ints_by_bits(a.data, elements, offset, b, out.data.get(), range);
    });
  }
  return out.release();
}

}  // namespace

NB_MODULE(binary_kernels, m) {
  m.doc() = "Kernels over packed bits. Results do not depend on threads or instruction set.";
  m.def("instruction_set", [](const std::string& name) { return chosen(name).name; },
        "instruction_set"_a = "",
        "The name of the kernels that `instruction_set` (or BINARY_KERNELS, or auto) chooses.");
  m.def("pack_rows", &pack_rows, "x"_a, nb::kw_only(), "threads"_a = 1, "instruction_set"_a = "",
        "Pack the signs of x, (rows, columns) float32, to (rows, ceil(columns / 8)) uint8.");
  m.def("interleave", &interleave, "rows"_a, nb::kw_only(), "threads"_a = 1,
        "instruction_set"_a = "",
        "Lay packed rows, (rows, bytes) uint8, in panels: (ceil(rows / 32), bytes, 32) uint8.");
  m.def("transpose", &transpose, "rows"_a, "columns"_a, nb::kw_only(), "threads"_a = 1,
        "instruction_set"_a = "",
        "Lay the transpose of packed rows in panels: (ceil(columns / 32), ceil(rows / 8), 32).");
  m.def("bits_by_bits", &bits_by_bits, "a"_a, "b"_a, "elements"_a, "outputs"_a, nb::kw_only(),
        "threads"_a = 1, "instruction_set"_a = "",
        "Multiply packed rows a, (M, bytes), by panels b: (M, outputs) int32 of +1/-1 sums.");
  m.def("ints_by_bits", &ints_by_bits, "a"_a, "offset"_a, "b"_a, "outputs"_a, nb::kw_only(),
        "threads"_a = 1, "instruction_set"_a = "",
        "Multiply integers a - offset, a (M, K) uint8 in 0..15, by panels b: (M, outputs) int32.");
}
