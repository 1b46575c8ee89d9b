// Optimizer steps for Python.
#include "../learners.hpp"
#include "common.hpp"

namespace bindings {
namespace {

using kernels::optimizers::Gradient;
using kernels::optimizers::State;

Gradient check_gradient(nb::handle object, const arrays::Shape& shape,
                        const std::optional<nb::handle>& factor_object) {
  const auto view = arrays::check_any(object, "gradient", 2, false);
  Gradient gradient{view.data, Gradient::Type::real, nullptr};
  if (view.holds<std::int32_t>()) {
    gradient.type = Gradient::Type::wide;
  } else if (view.holds<std::int16_t>()) {
    gradient.type = Gradient::Type::narrow;
  } else if (!view.holds<float>()) {
    throw nb::type_error("gradient must be of type float32, int32 or int16");
  }
  require(view.shape, 0, shape[0], "gradient");
  require(view.shape, 1, shape[1], "gradient");
  if (factor_object) {
    const auto factor = check<const float>(*factor_object, "factor", 1);
    if (factor.shape[0] < shape[0]) throw nb::value_error("factor must have a number a row");
    gradient.factor = factor.data;
  }
  return gradient;
}

float* check_moment(nb::handle object, const char* name, const arrays::Shape& shape) {
  const auto moment = check<float>(object, name, 2);
  require(moment.shape, 0, shape[0], name);
  require(moment.shape, 1, shape[1], name);
  return moment.data;
}

void check_padded(std::size_t columns, const char* name) {
  if (columns % kPanel != 0) {
    throw nb::value_error(
        (std::string(name) + " must have a multiple of 32 elements on axis 1").c_str());
  }
}

void adam(nb::handle weights_object, nb::handle m_object, nb::handle v_object,
          nb::handle gradient_object, std::optional<nb::handle> factor, double beta1, double beta2,
          float epsilon, float step_size, float correction, float limit, nb::handle threads,
          const std::string& name) {
  const auto weights = check<float>(weights_object, "weights", 2);
  check_padded(weights.shape[1], "weights");
  const State state{weights.data, check_moment(m_object, "m", weights.shape),
                    check_moment(v_object, "v", weights.shape)};
  const Gradient gradient = check_gradient(gradient_object, weights.shape, factor);
  const kernels::optimizers::Adam step = kernels::adam_step(
      {beta1, beta2, epsilon}, {0, step_size, correction, 0}, limit);
  const auto* optimizers = chosen(name).optimizers;
  const int team = checked_team(threads, weights.shape[0] * weights.shape[1], kernels::kWeightsLearnt);
  nb::gil_scoped_release unlocked;
  kernels::for_each_part(weights.shape[0], 1, team, [&](std::size_t begin, std::size_t end) {
    optimizers->adam(state, gradient, step, weights.shape[1], begin, end);
  });
}

void rowprop(nb::handle latent_object, nb::handle mean_square_object, nb::handle gradient_object,
             std::optional<nb::handle> factor, nb::handle columns_object, float rate,
             float correction, float beta, DrawTuple draw, nb::handle first_row_object,
             nb::handle threads, const std::string& name) {
  arrays::Shape shape;
  const auto latent = check_latent(latent_object, shape);
  check_padded(shape[1], "latent");
  const std::size_t columns = to_count(columns_object, "columns");
  if (columns == 0 || columns > shape[1]) {
    throw nb::value_error("columns does not fit latent");
  }
  const std::size_t first_row = to_count(first_row_object, "first_row");
  if (first_row % 16 != 0) throw nb::value_error("first_row must be a multiple of 16");
  const auto mean_square = check<float>(mean_square_object, "mean_square", 1);
  require(mean_square.shape, 0, shape[0], "mean_square");
  const Gradient gradient = check_gradient(gradient_object, shape, factor);
  const kernels::optimizers::RowProp step{rate, correction, beta, columns};
  const auto* optimizers = chosen(name).optimizers;
  const int team = checked_team(threads, shape[0] * shape[1], kernels::kWeightsLearnt);
  nb::gil_scoped_release unlocked;
  kernels::for_each_part(shape[0], 16, team, [&](std::size_t begin, std::size_t end) {
    optimizers->rowprop(latent, mean_square.data, gradient, step, shape[1], begin, end,
                        to_draw(draw), first_row);
  });
}

void bop(nb::handle bits_object, nb::handle m_object, nb::handle gradient_object,
         std::optional<nb::handle> factor, nb::handle columns_object, float adaptivity,
         float threshold, nb::handle threads, const std::string& name) {
  const std::size_t columns = to_count(columns_object, "columns");
  const auto m = check<float>(m_object, "m", 2);
  check_padded(m.shape[1], "m");
  const auto bits = check<std::uint8_t>(bits_object, "bits", 2);
  require(bits.shape, 0, m.shape[0], "bits");
  require(bits.shape, 1, bytes_for(columns), "bits");
  if (columns == 0 || columns > m.shape[1]) throw nb::value_error("columns does not fit m");
  const Gradient gradient = check_gradient(gradient_object, m.shape, factor);
  const auto* optimizers = chosen(name).optimizers;
  const int team = checked_team(threads, m.shape[0] * m.shape[1], kernels::kWeightsLearnt);
  nb::gil_scoped_release unlocked;
  kernels::for_each_part(m.shape[0], 1, team, [&](std::size_t begin, std::size_t end) {
    optimizers->bop(bits.data, m.data, gradient, {adaptivity, threshold}, columns, m.shape[1],
                    begin, end);
  });
}

}  // namespace

void bind_optimizers(nb::module_& m) {
  m.def("adam", &adam, "weights"_a, "m"_a, "v"_a, "gradient"_a, "factor"_a, nb::kw_only(),
        "beta1"_a, "beta2"_a, "epsilon"_a, "step_size"_a, "correction"_a, "limit"_a,
        "threads"_a = 1, "instruction_set"_a = "",
        "An Adam step in place, then clipping to [-limit, limit]. weights, m, v: (rows, columns)\n"
        "float32. gradient: int16, int32 or float32, times factor, (rows) float32 or None. step_size:\n"
        "the learning rate over 1 - beta1^t; correction: 1 / sqrt(1 - beta2^t).");
  m.def("rowprop", &rowprop, "latent"_a, "mean_square"_a, "gradient"_a, "factor"_a, "columns"_a,
        nb::kw_only(), "rate"_a, "correction"_a, "beta"_a, "draw"_a = DrawTuple{0, 0, 0},
        "first_row"_a = 0, "threads"_a = 1, "instruction_set"_a = "",
        "An RMSProp step in place with one mean square per row, then clipping to [-1, 1]. latent:\n"
        "(rows, padded) int8 in units of 1/127, rounded stochastically, or int16 in units of\n"
        "1/32767. mean_square: (rows) float32, of the steps before. gradient: int16, int32 or\n"
        "float32, times factor, (rows) float32 or None. columns: those that count in the mean. correction:\n"
        "sqrt(1 - beta^steps) of the steps before.");
  m.def("bop", &bop, "bits"_a, "m"_a, "gradient"_a, "factor"_a, "columns"_a, nb::kw_only(),
        "adaptivity"_a, "threshold"_a, "threads"_a = 1, "instruction_set"_a = "",
        "A Bop step in place: m, (rows, padded) float32, filters the gradient, and weight bits,\n"
        "(rows, ceil(columns / 8)) uint8, flip against it where it exceeds the threshold.");
}

}  // namespace bindings
