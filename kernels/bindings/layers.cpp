// Batch normalization, binarization, rounding and the loss for Python.
#include "common.hpp"

namespace bindings {
namespace {

using kernels::kBatchRows;
using kernels::normalization::Gradient;

template <typename T>
arrays::View<T> check_batch(nb::handle object, std::size_t panels) {
  const auto batch = check<T>(object, "batch", 3);
  require(batch.shape, 0, panels, "batch");
  require(batch.shape, 1, kBatchRows, "batch");
  require(batch.shape, 2, kPanel, "batch");
  return batch;
}

void batch_statistics(nb::handle s_object, nb::handle parameters_object, double epsilon,
                      nb::handle batch_object, nb::handle threads, const std::string& name) {
  const Sums s = check_sums(s_object, "s");
  const auto parameters = check<const float>(parameters_object, "parameters", 3);
  require(parameters.shape, 0, s.panels, "parameters");
  require(parameters.shape, 1, 2, "parameters");
  require(parameters.shape, 2, kPanel, "parameters");
  const auto batch = check_batch<float>(batch_object, s.panels);
  const Team team = team_of(name, threads);
  nb::gil_scoped_release unlocked;
  kernels::batch_statistics(team, s, parameters.data, epsilon, batch.data);
}

void binarize(nb::handle s_object, nb::handle batch_object, nb::handle columns_object,
              nb::handle out_object, nb::handle first_panel_object,
              std::optional<DrawTuple> draw_tuple, nb::handle threads, const std::string& name) {
  const Sums s = check_sums(s_object, "s");
  const auto batch = check_batch<const float>(batch_object, s.panels);
  const std::size_t columns = to_count(columns_object, "columns");
  const auto out = check<std::uint8_t>(out_object, "out", 2);
  require(out.shape, 0, s.rows, "out");
  require(out.shape, 1, bytes_for(columns), "out");
  const std::size_t first_panel = to_count(first_panel_object, "first_panel");
  const std::size_t panels = panels_for(columns);
  if (columns == 0 || s.panels > panels || first_panel > panels - s.panels) {
    throw nb::value_error("first_panel and the panels of s go past columns");
  }
  const Team team = team_of(name, threads);
  const kernels::Draw draw = to_draw(draw_tuple.value_or(DrawTuple{}));
  nb::gil_scoped_release unlocked;
  kernels::binarize(team, s, batch.data, first_panel, columns, draw_tuple ? &draw : nullptr,
                    out.data);
}

Gradient check_gradient(nb::handle object, const Sums& s) {
  const auto view = arrays::check_any(object, "gradient", 3, false);
  require(view.shape, 0, s.panels, "gradient");
  require(view.shape, 1, s.rows, "gradient");
  require(view.shape, 2, kPanel, "gradient");
  if (view.holds<float>()) return {Gradient::Type::real, view.data, nullptr};
  const bool wide = is_wide(view, "gradient");
  return {wide ? Gradient::Type::wide : Gradient::Type::narrow, view.data, nullptr};
}

const float* check_factor(const std::optional<nb::handle>& object, std::size_t size) {
  if (!object) return nullptr;
  const auto factor = check<const float>(*object, "factor", 1);
  require(factor.shape, 0, size, "factor");
  return factor.data;
}

void normalize_backward(nb::handle s_object, nb::handle batch_object, nb::handle gradient_object,
                        std::optional<nb::handle> factor, bool masked, nb::handle out_object,
                        nb::handle parameter_gradient_object, nb::handle threads,
                        const std::string& name) {
  const Sums s = check_sums(s_object, "s");
  const auto batch = check_batch<const float>(batch_object, s.panels);
  Gradient gradient = check_gradient(gradient_object, s);
  gradient.factor = check_factor(factor, s.rows);
  const auto out = check<float>(out_object, "out", 3);
  require(out.shape, 0, s.panels, "out");
  require(out.shape, 1, s.rows, "out");
  require(out.shape, 2, kPanel, "out");
  const auto parameters = check<float>(parameter_gradient_object, "parameter_gradient", 3);
  require(parameters.shape, 0, s.panels, "parameter_gradient");
  require(parameters.shape, 1, 2, "parameter_gradient");
  require(parameters.shape, 2, kPanel, "parameter_gradient");
  const Team team = team_of(name, threads);
  nb::gil_scoped_release unlocked;
  kernels::normalize_backward(team, s, batch.data, gradient, masked, out.data, parameters.data);
}

void round_columns(nb::handle g_object, nb::handle columns_object, nb::handle max_object,
                   nb::handle out_object, nb::handle factors_object, DrawTuple draw,
                   nb::handle first_panel_object, nb::handle threads, const std::string& name) {
  const auto g = check<const float>(g_object, "g", 3);
  require(g.shape, 2, kPanel, "g");
  const std::size_t panels = g.shape[0], rows = g.shape[1];
  const std::size_t columns = to_count(columns_object, "columns");
  if (columns == 0 || panels_for(columns) != panels) {
    throw nb::value_error("columns does not fit the panels of g");
  }
  const auto max = static_cast<int>(to_integer(max_object, "max", 1, 127, "1..127"));
  const std::size_t first_panel = to_count(first_panel_object, "first_panel");
  const auto out = check<std::int8_t>(out_object, "out", 2);
  require(out.shape, 0, columns, "out");
  require(out.shape, 1, panels_for(rows) * kPanel, "out");
  const auto factors = check<float>(factors_object, "factors", 1);
  require(factors.shape, 0, panels * kPanel, "factors");
  const Team team = team_of(name, threads);
  nb::gil_scoped_release unlocked;
  kernels::round_columns(team, g.data, rows, columns, max, to_draw(draw), first_panel, out.data,
                         factors.data);
}

void round_rows(nb::handle g_object, nb::handle columns_object, nb::handle max_object,
                nb::handle out_object, nb::handle factors_object, DrawTuple draw,
                nb::handle threads, const std::string& name) {
  const auto g = check<const float>(g_object, "g", 3);
  require(g.shape, 2, kPanel, "g");
  const std::size_t panels = g.shape[0], rows = g.shape[1];
  const std::size_t columns = to_count(columns_object, "columns");
  if (columns == 0 || panels_for(columns) != panels) {
    throw nb::value_error("columns does not fit the panels of g");
  }
  const auto max = static_cast<int>(to_integer(max_object, "max", 1, 127, "1..127"));
  const auto out = check<std::int8_t>(out_object, "out", 2);
  require(out.shape, 0, rows, "out");
  require(out.shape, 1, panels * kPanel, "out");
  const auto factors = check<float>(factors_object, "factors", 1);
  require(factors.shape, 0, rows, "factors");
  const Team team = team_of(name, threads);
  nb::gil_scoped_release unlocked;
  kernels::round_rows(team, g.data, rows, columns, max, to_draw(draw), out.data, factors.data);
}

void softmax_gradient(nb::handle s_object, nb::handle batch_object, nb::handle labels_object,
                      nb::handle classes_object, nb::handle out_object, float smoothing,
                      nb::handle threads) {
  const Sums s = check_sums(s_object, "s");
  const auto batch = check_batch<const float>(batch_object, s.panels);
  const auto labels = check<const std::uint8_t>(labels_object, "labels", 1);
  require(labels.shape, 0, s.rows, "labels");
  const std::size_t classes = to_count(classes_object, "classes");
  if (classes == 0 || panels_for(classes) != s.panels) {
    throw nb::value_error("classes does not fit the panels of s");
  }
  for (std::size_t b = 0; b < s.rows; ++b) {
    if (labels.data[b] >= classes) throw nb::value_error("labels must be below classes");
  }
  if (!(smoothing >= 0 && smoothing < 1)) throw nb::value_error("smoothing must be in [0, 1)");
  const auto out = check<float>(out_object, "out", 3);
  require(out.shape, 0, s.panels, "out");
  require(out.shape, 1, s.rows, "out");
  require(out.shape, 2, kPanel, "out");
  const Team team = team_of("", threads);
  nb::gil_scoped_release unlocked;
  kernels::softmax_gradient(team, s, batch.data, labels.data, classes, smoothing, out.data);
}

}  // namespace

void bind_layers(nb::module_& m) {
  m.def("batch_statistics", &batch_statistics, "s"_a, "parameters"_a, "epsilon"_a, "batch"_a,
        nb::kw_only(), "threads"_a = 1, "instruction_set"_a = "",
        "Statistics of sums s, (panels, rows, 32) int16 or int32, from exact integers, and the\n"
        "normalization that follows from parameters, (panels, 2, 32) float32 gain and bias, to\n"
        "batch, (panels, 5, 32) float32: mean, biased variance, 1 / sqrt(variance + epsilon),\n"
        "scale, shift.");
  m.def("binarize", &binarize, "s"_a, "batch"_a, "columns"_a, "out"_a, "first_panel"_a = 0,
        "draw"_a = nb::none(), nb::kw_only(), "threads"_a = 1, "instruction_set"_a = "",
        "Bits of scale s + shift >= 0 to out, (rows, ceil(columns / 8)) uint8, from column\n"
        "32 first_panel on. With draw, (seed, purpose, step), a random number in (-1, 1) is\n"
        "added first: stochastic binarization.");
  m.def("normalize_backward", &normalize_backward, "s"_a, "batch"_a, "gradient"_a, "factor"_a,
        "masked"_a, "out"_a, "parameter_gradient"_a, nb::kw_only(), "threads"_a = 1,
        "instruction_set"_a = "",
        "From the gradient of the normalized activations (or of their bits: masked), (panels,\n"
        "rows, 32) int16, int32 or float32 times factor, (rows) float32 or None, to that of s,\n"
        "out, float32, and of gain and bias, (panels, 2, 32) float32.");
  m.def("round_columns", &round_columns, "g"_a, "columns"_a, "max"_a, "out"_a, "factors"_a,
        "draw"_a, "first_panel"_a = 0, nb::kw_only(), "threads"_a = 1, "instruction_set"_a = "",
        "Round g, (panels, rows, 32) float32, stochastically to integers of at most `max`, with\n"
        "a factor a column: out, (columns, rows padded to a multiple of 32) int8, transposed.");
  m.def("round_rows", &round_rows, "g"_a, "columns"_a, "max"_a, "out"_a, "factors"_a, "draw"_a,
        nb::kw_only(), "threads"_a = 1, "instruction_set"_a = "",
        "Round g, (panels, rows, 32) float32, stochastically to integers of at most `max`, with\n"
        "a factor a row: out, (rows, 32 panels) int8.");
  m.def("softmax_gradient", &softmax_gradient, "s"_a, "batch"_a, "labels"_a, "classes"_a, "out"_a,
        nb::kw_only(), "smoothing"_a = 0.0F, "threads"_a = 1,
        "The gradient of the mean cross-entropy of softmax(scale s + shift), (panels, rows, 32)\n"
        "float32, 0 past the last class. labels: (rows) uint8; of their probability, the share\n"
        "smoothing goes to all classes alike.");
}

}  // namespace bindings
