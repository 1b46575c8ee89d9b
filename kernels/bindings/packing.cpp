// Packing for Python.
#include "common.hpp"

namespace bindings {
namespace {

using arrays::Result;
using Bytes = nb::ndarray<nb::numpy, std::uint8_t>;

Bytes pack_rows(nb::handle x_object, nb::handle threads, const std::string& name) {
  const auto x = check<const float>(x_object, "x", 2);
  const auto* packing = chosen(name).packing;
  const std::size_t rows = x.shape[0], columns = x.shape[1];
  Result<std::uint8_t> out({rows, bytes_for(columns)});
  const int team = checked_team(threads, rows * columns, kernels::kBitsMoved);
  {
    nb::gil_scoped_release unlocked;
    kernels::for_each(rows, team, [&](std::size_t r) {
      packing->pack_row(x.data + r * columns, columns, out.data.get() + r * bytes_for(columns));
    });
  }
  return out.release();
}

Bytes pack_latent(nb::handle latent_object, nb::handle columns_object, float noise, DrawTuple draw,
                  nb::handle threads, const std::string& name) {
  const auto latent = arrays::check_any(latent_object, "latent", 2, false);
  using kernels::rounding::Latent;
  if (!latent.holds<float>() && !latent.holds<std::int16_t>() && !latent.holds<std::int8_t>()) {
    throw nb::type_error("latent must be of type float32, int16 or int8");
  }
  const Latent form = latent.holds<float>()          ? Latent::real
                      : latent.holds<std::int16_t>() ? Latent::words
                                                     : Latent::bytes;
  const std::size_t rows = latent.shape[0], padded = latent.shape[1];
  if (padded % kPanel != 0) {
    throw nb::value_error("latent must have a multiple of 32 elements on axis 1");
  }
  const std::size_t columns = to_count(columns_object, "columns");
  if (columns == 0 || columns > padded) {
    throw nb::value_error("columns must be in 1..the elements on axis 1 of latent");
  }
  if (!(noise >= 0 && noise <= 1)) throw nb::value_error("noise must be in [0, 1]");
  const auto* rounding = chosen(name).rounding;
  Result<std::uint8_t> out({rows, bytes_for(columns)});
  const int team = checked_team(threads, rows * padded, kernels::kBitsMoved);
  {
    nb::gil_scoped_release unlocked;
    kernels::for_each(rows, team, [&](std::size_t r) {
      rounding->pack_row(static_cast<const char*>(latent.data) + r * padded * latent.type.size, form, r,
                         columns, noise, to_draw(draw),
                         out.data.get() + r * bytes_for(columns));
    });
  }
  return out.release();
}

Bytes interleave(nb::handle rows_object, nb::handle threads, const std::string& name) {
  const auto rows = check<const std::uint8_t>(rows_object, "rows", 2);
  const Team team = team_of(name, threads);
  const std::size_t count = rows.shape[0], bytes = rows.shape[1];
  Result<std::uint8_t> out({panels_for(count), bytes, kPanel});
  {
    nb::gil_scoped_release unlocked;
    kernels::interleave(team, rows.data, count, bytes, out.data.get());
  }
  return out.release();
}

void transpose(nb::handle rows_object, nb::handle columns_object, nb::handle out_object,
               nb::handle threads, const std::string& name) {
  const auto rows = check<const std::uint8_t>(rows_object, "rows", 2);
  const std::size_t columns = to_count(columns_object, "columns");
  if (columns == 0 || bytes_for(columns) != rows.shape[1]) {
    throw nb::value_error("columns does not fit the bytes of rows");
  }
  const std::size_t count = rows.shape[0], panels = panels_for(columns);
  const auto out = check<std::uint8_t>(out_object, "out", 3);
  require(out.shape, 0, panels, "out");
  require(out.shape, 1, bytes_for(count), "out");
  require(out.shape, 2, kPanel, "out");
  const Team team = team_of(name, threads);
  nb::gil_scoped_release unlocked;
  kernels::transpose(team, rows.data, count, columns, out.data);
}

}  // namespace

void bind_packing(nb::module_& m) {
  m.def("pack_rows", &pack_rows, "x"_a, nb::kw_only(), "threads"_a = 1, "instruction_set"_a = "",
        "Pack the signs of x, (rows, columns) float32, to (rows, ceil(columns / 8)) uint8.");
  m.def("pack_latent", &pack_latent, "latent"_a, "columns"_a, nb::kw_only(), "noise"_a = 0.0F,
        "draw"_a = DrawTuple{0, 0, 0}, "threads"_a = 1, "instruction_set"_a = "",
        "Pack the signs of latent + noise u, u uniform in (-1, 1): (rows, padded) float32,\n"
        "int16 in units of 1/32767 or int8 in units of 1/127, to (rows, ceil(columns / 8)) uint8.\n"
        "padded is a multiple of 32.\n"
        "draw: (seed, purpose, step) of the random numbers.");
  m.def("interleave", &interleave, "rows"_a, nb::kw_only(), "threads"_a = 1,
        "instruction_set"_a = "",
        "Lay packed rows, (rows, bytes) uint8, in panels: (ceil(rows / 32), bytes, 32) uint8.");
  m.def("transpose", &transpose, "rows"_a, "columns"_a, "out"_a, nb::kw_only(), "threads"_a = 1,
        "instruction_set"_a = "",
        "Lay the transpose of packed rows in panels, out: (ceil(columns / 32), ceil(rows / 8), 32)\n"
        "uint8.");
}

}  // namespace bindings
