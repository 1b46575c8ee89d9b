// Products for Python: they write into an array of the caller's, so that memory is reused.
#include "../aligned.hpp"
#include "common.hpp"

namespace bindings {
namespace {

using kernels::Form;
using kernels::IntRows;
using kernels::Output;
using kernels::products::PanelOperand;
using kernels::products::Range;

// Where a product goes: (panels, M, 32), or (M, 32 panels).
struct Target {
  Output output;
  std::size_t rows, panels;
};

Target target_of(const arrays::AnyView& view, bool wide) {
  if (view.axes == 3) {
    require(view.shape, 2, kPanel, "out");
    const std::size_t rows = view.shape[1];
    return {{view.data, wide, kPanel, rows * kPanel}, rows, view.shape[0]};
  }
  if (view.shape[1] % kPanel != 0) {
    throw nb::value_error("out must have a multiple of 32 elements on axis 1");
  }
  return {{view.data, wide, view.shape[1], kPanel}, view.shape[0], view.shape[1] / kPanel};
}

// `narrow_limit`: the most elements whose sums fit int16.
Target check_integer_target(nb::handle object, std::size_t elements, std::size_t narrow_limit) {
  const auto view = arrays::check_any(object, "out", 2, true, 3);
  const bool wide = is_wide(view, "out");
  if (!wide && elements > narrow_limit) {
    throw nb::value_error("out must be of type int32: the sums of so many elements could "
                          "overflow int16");
  }
  return target_of(view, wide);
}

Target check_float_target(nb::handle object) {
  const auto view = arrays::check_any(object, "out", 2, true, 3);
  if (!view.holds<float>()) throw nb::type_error("out must be of type float32");
  return target_of(view, true);
}

PanelOperand check_panels(nb::handle object, std::size_t elements, std::size_t panels) {
  const auto b = check<const std::uint8_t>(object, "b", 3);
  require(b.shape, 2, kPanel, "b");
  require(b.shape, 0, panels, "b");
  require(b.shape, 1, bytes_for(elements), "b");
  return {b.data, b.shape[1]};
}

void check_elements(std::size_t elements, std::size_t max) {
  if (elements == 0 || elements > max) {
    throw nb::value_error(("elements must be in 1.." + std::to_string(max)).c_str());
  }
}

std::size_t to_elements(nb::handle object, std::size_t max) {
  const std::size_t elements = to_count(object, "elements");
  check_elements(elements, max);
  return elements;
}

template <typename Work>
void run(const Target& target, std::size_t elements, Team team, Work work) {
  const int threads = kernels::worth_starting(target.rows * target.panels * kPanel * elements,
                                              kernels::kBitsMultiplied, team.threads);
  nb::gil_scoped_release unlocked;
  const bool by_rows = kernels::worth_dividing_rows(target.rows, target.panels, threads);
  kernels::divide(target.rows, target.panels, by_rows, threads, work);
}

void bits_by_bits(nb::handle a_object, nb::handle b_object, nb::handle elements_object,
                  nb::handle out_object, nb::handle threads, const std::string& name) {
  const auto a = check<const std::uint8_t>(a_object, "a", 2);
  const std::size_t elements = to_elements(elements_object, kernels::products::kMaxBits);
  require(a.shape, 1, bytes_for(elements), "a");
  const Target target =
      check_integer_target(out_object, elements, kernels::products::kMaxBitsNarrow);
  require(a.shape, 0, target.rows, "a");
  const auto b = check_panels(b_object, elements, target.panels);
  const Team team = team_of(name, threads);
  run(target, elements, team, [&](Range range) {
    team.set.products->bits_by_bits(a.data, elements, b, target.output, range);
  });
}

void pixels_by_bits(nb::handle x_object, nb::handle b_object, nb::handle elements_object,
                    nb::handle out_object, Index index, nb::handle threads,
                    const std::string& name) {
  const auto x = check_nibbles(x_object, "x", index);
  const std::size_t elements = to_elements(elements_object, kernels::products::kMaxInts);
  if (x.rows.stride * 2 < elements) {
    throw nb::value_error("x must have a byte for 2 elements on axis 1");
  }
  const Target target =
      check_integer_target(out_object, elements, kernels::products::kMaxIntsNarrow);
  if (x.count != target.rows) throw nb::value_error("out must have a row for each row of x");
  const auto b = check_panels(b_object, elements, target.panels);
  const Team team = team_of(name, threads);
  const kernels::AlignedBytes split(kernels::bytes_of_groups(team.set, b, target.panels));
  nb::gil_scoped_release unlocked;
  kernels::pixels_by_bits(team, x.rows, elements, b, split.get(), target.output, target.rows,
                          target.panels);
}

void gradients_by_bits(nb::handle a_object, nb::handle b_object, nb::handle elements_object,
                       nb::handle max_object, nb::handle out_object, nb::handle threads,
                       const std::string& name) {
  const auto a = check<const std::int8_t>(a_object, "a", 2);
  const std::size_t elements = to_elements(elements_object, kernels::products::kMaxInts);
  if (a.shape[1] < elements) throw nb::value_error("a must have the elements on axis 1");
  const auto max = static_cast<int>(to_integer(max_object, "max", 1, 112, "1..112"));
  const Target target = check_integer_target(
      out_object, elements * static_cast<std::size_t>(max), kernels::products::kMaxBitsNarrow);
  require(a.shape, 0, target.rows, "a");
  const auto b = check_panels(b_object, elements, target.panels);
  const Team team = team_of(name, threads);
  nb::gil_scoped_release unlocked;
  kernels::gradients_by_bits(team, {a.data, a.shape[1], max}, elements, b, target.output,
                             target.rows, target.panels);
}

void gradients_by_pixels(nb::handle a_object, nb::handle x_object, nb::handle max_object,
                         nb::handle out_object, Index index, nb::handle threads,
                         const std::string& name) {
  const auto a = check<const std::int8_t>(a_object, "a", 2);
  const auto x = check_nibbles(x_object, "x", index);
  check_elements(x.count, kernels::pixels::kMaxElements);
  if (a.shape[1] % 4 != 0 || a.shape[1] < x.count) {
    throw nb::value_error("a must have the rows of x, padded to a multiple of 4, on axis 1");
  }
  const auto max = static_cast<int>(to_integer(max_object, "max", 1, 127, "1..127"));
  const Target target =
      check_integer_target(out_object, kernels::pixels::fits_int16(x.count, max) ? 0 : 1, 0);
  require(a.shape, 0, target.rows, "a");
  if (x.rows.stride * 2 != target.panels * kPanel) {
    throw nb::value_error("x must have 16 bytes for 32 pixels of out");
  }
  const Team team = team_of(name, threads);
  run(target, x.count, team, [&](Range range) {
    team.set.pixels->ints_by_pixels(a.data, a.shape[1], max, x.rows, x.count, target.output, range);
  });
}

void floats_by_bits(nb::handle a_object, nb::handle b_object, nb::handle elements_object,
                    nb::handle out_object, nb::handle threads, const std::string& name) {
  const auto a = check<const float>(a_object, "a", 2);
  const auto b = check<const std::uint8_t>(b_object, "b", 2);
  const std::size_t elements = to_elements(elements_object, b.shape[0]);
  if (a.shape[1] < elements) throw nb::value_error("a must have the elements on axis 1");
  const Target target = check_float_target(out_object);
  require(a.shape, 0, target.rows, "a");
  if (panels_for(b.shape[1] * 8) != target.panels) {
    throw nb::value_error("out must have a panel for 4 bytes of b");
  }
  const Team team = team_of(name, threads);
  run(target, elements, team, [&](Range range) {
    team.set.float_products->floats_by_bits(a.data, a.shape[1], b.data, b.shape[1], elements,
                                            target.output, range);
  });
}

void floats_by_pixels(nb::handle a_object, nb::handle x_object, nb::handle out_object, Index index,
                      nb::handle threads, const std::string& name) {
  const auto a = check<const float>(a_object, "a", 2);
  const auto x = check_nibbles(x_object, "x", index);
  if (a.shape[1] < x.count) throw nb::value_error("a must have the rows of x on axis 1");
  const Target target = check_float_target(out_object);
  require(a.shape, 0, target.rows, "a");
  if (x.rows.stride * 2 != target.panels * kPanel) {
    throw nb::value_error("x must have 16 bytes for 32 pixels of out");
  }
  const Team team = team_of(name, threads);
  run(target, x.count, team, [&](Range range) {
    team.set.float_products->floats_by_pixels(a.data, a.shape[1], x.rows, x.count, target.output, range);
  });
}

}  // namespace

void bind_products(nb::module_& m) {
  const char* out = "\nout: (panels, M, 32), or (M, 32 panels). Past the last output it is undefined.";
  const auto doc = [out](const char* text) { return std::string(text) + out; };
  m.def("bits_by_bits", &bits_by_bits, "a"_a, "b"_a, "elements"_a, "out"_a, nb::kw_only(),
        "threads"_a = 1, "instruction_set"_a = "",
        doc("Multiply packed rows a, (M, bytes), by panels b: +1/-1 sums in int16 or int32.")
            .c_str());
  m.def("pixels_by_bits", &pixels_by_bits, "x"_a, "b"_a, "elements"_a, "out"_a,
        "index"_a = nb::none(), nb::kw_only(), "threads"_a = 1, "instruction_set"_a = "",
        doc("Multiply pixels x, nibbles (rows, bytes) uint8, those that index (M) int64 names or\n"
            "all, by panels b: int16 or int32.")
            .c_str());
  m.def("gradients_by_bits", &gradients_by_bits, "a"_a, "b"_a, "elements"_a, "max"_a, "out"_a,
        nb::kw_only(), "threads"_a = 1, "instruction_set"_a = "",
        doc("Multiply a, (M, at least elements) int8 of absolute value at most `max`, by panels\n"
            "b: int16 or int32. max: 1 to 112, and 7 takes half the time of 8.")
            .c_str());
  m.def("gradients_by_pixels", &gradients_by_pixels, "a"_a, "x"_a, "max"_a, "out"_a,
        "index"_a = nb::none(), nb::kw_only(), "threads"_a = 1, "instruction_set"_a = "",
        doc("Multiply a, (M, padded) int8 of absolute value at most `max` (1 to 127), by pixels\n"
            "x, nibbles (rows, 16 panels), those that index names or all: int32, or int16 where\n"
            "15 max times their number is at most 32767.")
            .c_str());
  m.def("floats_by_bits", &floats_by_bits, "a"_a, "b"_a, "elements"_a, "out"_a, nb::kw_only(),
        "threads"_a = 1, "instruction_set"_a = "",
        doc("Multiply a, (M, at least elements) float32, by packed rows b, (elements, bytes), in\n"
            "float32, the terms of a sum in order.")
            .c_str());
  m.def("floats_by_pixels", &floats_by_pixels, "a"_a, "x"_a, "out"_a, "index"_a = nb::none(),
        nb::kw_only(), "threads"_a = 1, "instruction_set"_a = "",
        doc("Multiply a, (M, rows) float32, by pixels x, nibbles (rows, 16 panels), those that\n"
            "index names or all, in float32, the terms of a sum in order.")
            .c_str());
}

}  // namespace bindings
