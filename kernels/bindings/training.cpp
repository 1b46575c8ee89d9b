// A network in training for Python: checked when it is built, and a batch with every step.
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "../training.hpp"
#include "common.hpp"

namespace bindings {
namespace {

using kernels::Learner;
using kernels::Size;
using kernels::Trainer;

// A learner, and the arrays that it points to.
struct BoundLearner {
  std::unique_ptr<Learner> learner;
  Size size;
  std::vector<nb::object> arrays;
};

Size check_size(const arrays::Shape& shape, nb::handle columns_object, const char* name) {
  const Size size{shape[0], to_count(columns_object, "columns")};
  if (size.columns == 0 || size.padded() != shape[1]) {
    throw nb::value_error(
        (std::string(name) + " must have the columns, padded to a multiple of 32, on axis 1")
            .c_str());
  }
  return size;
}

float* check_like(nb::handle object, const char* name, const arrays::Shape& shape) {
  const auto array = check<float>(object, name, 2);
  require(array.shape, 0, shape[0], name);
  require(array.shape, 1, shape[1], name);
  return array.data;
}

BoundLearner rowprop(const nb::object& latent_object, const nb::object& mean_square_object,
                     nb::handle columns, float beta) {
  arrays::Shape shape;
  const auto latent = check_latent(latent_object, shape);
  const Size size = check_size(shape, columns, "latent");
  const auto mean_square = check<float>(mean_square_object, "mean_square", 1);
  require(mean_square.shape, 0, size.rows, "mean_square");
  return {kernels::make_rowprop(size, latent, mean_square.data, beta), size,
          {latent_object, mean_square_object}};
}

BoundLearner adam(const nb::object& latent_object, const nb::object& m_object,
                  const nb::object& v_object, nb::handle columns, double beta1, double beta2,
                  float epsilon) {
  const auto latent = check<float>(latent_object, "latent", 2);
  const Size size = check_size(latent.shape, columns, "latent");
  const kernels::optimizers::State state{latent.data, check_like(m_object, "m", latent.shape),
                                         check_like(v_object, "v", latent.shape)};
  return {kernels::make_adam(size, state, {beta1, beta2, epsilon}), size,
          {latent_object, m_object, v_object}};
}

BoundLearner bop(const nb::object& bits_object, const nb::object& m_object, nb::handle columns,
                 float adaptivity_per_rate, float threshold) {
  const auto m = check<float>(m_object, "m", 2);
  const Size size = check_size(m.shape, columns, "m");
  const auto bits = check<std::uint8_t>(bits_object, "bits", 2);
  require(bits.shape, 0, size.rows, "bits");
  require(bits.shape, 1, bytes_for(size.columns), "bits");
  return {kernels::make_bop(size, bits.data, m.data, {adaptivity_per_rate, threshold}), size,
          {bits_object, m_object}};
}

// A trainer, what it points to, and the sizes that a batch must fit.
struct BoundTrainer {
  Trainer trainer;
  std::vector<nb::object> objects;
  std::size_t pixels, classes, max_batch;
};

float* check_pairs(nb::handle object, const char* name, std::size_t panels) {
  const auto array = check<float>(object, name, 3);
  require(array.shape, 0, panels, name);
  require(array.shape, 1, 2, name);
  require(array.shape, 2, kPanel, name);
  return array.data;
}

// A convolution of these sizes whose weights have that many rows and columns.
kernels::convolution::Shape check_shape(const ShapeTuple& tuple, Size size) {
  const kernels::convolution::Shape shape = to_shape(tuple, size.rows);
  if (size.columns != shape.elements()) {
    throw nb::value_error("a convolution's columns must be 9 times its channels");
  }
  return shape;
}

void build(BoundTrainer* self, const std::vector<nb::object>& learners,
           const std::vector<nb::object>& running, const nb::object& parameters,
           const nb::object& m, const nb::object& v, std::optional<nb::handle> max_gradient,
           bool stochastic, float label_smoothing, double epsilon, float momentum, double beta1,
           double beta2, float adam_epsilon, std::uint32_t seed, nb::handle threads,
           const std::vector<ShapeTuple>& shapes) {
  if (learners.size() <= shapes.size() || learners.size() != running.size()) {
    throw nb::value_error("learners and running must have an entry for each layer");
  }
  const int max = max_gradient ? static_cast<int>(to_integer(*max_gradient, "max_gradient", 1, 112,
                                                             "1..112"))
                               : 0;
  if (!(label_smoothing >= 0 && label_smoothing < 1)) {
    throw nb::value_error("label_smoothing must be in [0, 1)");
  }
  if (max == 0 && !shapes.empty()) {
    throw nb::value_error("max_gradient must be an integer for convolutions");
  }
  std::vector<kernels::ConvolutionState> convolutions;
  std::vector<kernels::LayerState> layers;
  std::size_t panels = 0;
  for (std::size_t i = 0; i < learners.size(); ++i) {
    if (!nb::isinstance<BoundLearner>(learners[i])) {
      throw nb::type_error("learners must be of type Learner");
    }
    const auto& bound = nb::cast<const BoundLearner&>(learners[i]);
    const Size size = bound.size;
    if (i < shapes.size()) {
      const auto shape = check_shape(shapes[i], size);
      check_follows(shape, i == 0 ? nullptr : &convolutions.back().shape);
      convolutions.push_back({shape, bound.learner.get(),
                              check_pairs(running[i], "running", panels_for(size.rows))});
      panels += panels_for(size.rows);
      continue;
    }
    const bool first = layers.empty();
    if (!first || !shapes.empty()) {
      const std::size_t before = first ? map_size(convolutions.back().shape)
                                       : layers.back().outputs;
      if (size.columns != before) {
        throw nb::value_error("a layer's columns must be the rows of the layer before");
      }
    }
    if (std::max(size.rows, size.columns) > kernels::products::kMaxInts) {
      throw nb::value_error("a layer has more rows or columns than sums can hold");
    }
    layers.push_back({size.columns, size.rows, bound.learner.get(),
                      check_pairs(running[i], "running", panels_for(size.rows))});
    panels += panels_for(size.rows);
  }
  const kernels::NormalizationState normalization{check_pairs(parameters, "parameters", panels),
                                                  check_pairs(m, "m", panels),
                                                  check_pairs(v, "v", panels)};
  const kernels::TrainerOptions options{max,     stochastic,
                                        label_smoothing, epsilon,
                                        momentum, {beta1, beta2, adam_epsilon},
                                        seed,     checked_threads(threads)};
  std::vector<nb::object> objects = learners;
  objects.insert(objects.end(), running.begin(), running.end());
  objects.insert(objects.end(), {parameters, m, v});
  std::size_t max_batch = std::min(kernels::products::kMaxInts, kernels::pixels::kMaxElements);
  std::size_t pixels = layers.front().inputs;
  for (const auto& each : convolutions) {
    // Sums over all positions of a batch must fit 32 bits, and random numbers are counted in them.
    const std::size_t positions = kernels::pixels::max_elements(max);
    max_batch = std::min(max_batch, positions / each.shape.in());
  }
  if (!convolutions.empty()) {
    pixels = convolutions.front().shape.in() * convolutions.front().shape.channels;
  }
  new (self) BoundTrainer{Trainer(convolutions, layers, normalization, options),
                          std::move(objects), pixels, layers.back().outputs, max_batch};
}

void step(BoundTrainer& self, nb::handle images, nb::handle index, nb::handle labels_object,
          float learning_rate, float step_size, float correction, float correction_before,
          float weight_noise, std::uint32_t number, const std::string& name) {
  const NibbleRows x = check_nibbles(images, "images", index);
  if (x.rows.stride * 2 != panels_for(self.pixels) * kPanel) {
    throw nb::value_error("images must have 16 bytes for 32 pixels on axis 1");
  }
  if (x.count < 2 || x.count > self.max_batch) {
    throw nb::value_error(
        ("index must have 2.." + std::to_string(self.max_batch) + " elements").c_str());
  }
  const auto labels = check<const std::uint8_t>(labels_object, "labels", 1);
  require(labels.shape, 0, x.count, "labels");
  for (std::size_t b = 0; b < x.count; ++b) {
    if (labels.data[b] >= self.classes) throw nb::value_error("labels must be below the classes");
  }
  if (!(weight_noise >= 0 && weight_noise <= 1)) {
    throw nb::value_error("weight_noise must be in [0, 1]");
  }
  const kernels::Step batch{x.rows,
                            labels.data,
                            x.count,
                            {learning_rate, step_size, correction, correction_before},
                            weight_noise,
                            number};
  const auto& set = chosen(name);
  nb::gil_scoped_release unlocked;
  self.trainer.step(set, batch);
}

nb::dict seconds(const BoundTrainer& self) {
  constexpr const char* kNames[] = {"forward", "backward", "normalization", "optimizer"};
  nb::dict result;
  for (std::size_t i = 0; i < kernels::kPhases; ++i) result[kNames[i]] = self.trainer.seconds()[i];
  return result;
}

nb::dict bytes(const BoundTrainer& self) {
  const kernels::StepBytes bytes = self.trainer.bytes();
  nb::dict result;
  result["weights"] = bytes.weights;
  result["gradients"] = bytes.gradients;
  result["saved_activations"] = bytes.saved;
  result["temporaries"] = bytes.temporaries;
  return result;
}

}  // namespace

void bind_training(nb::module_& m) {
  nb::class_<BoundLearner>(m, "Learner", "A layer's binary weights, and how they learn.");
  m.def("rowprop_learner", &rowprop, "latent"_a, "mean_square"_a, "columns"_a, nb::kw_only(),
        "beta"_a,
        "Latent weights, (rows, columns padded) int8 or int16, that learn as `rowprop` says.\n"
        "mean_square: (rows) float32. The arrays stay the caller's, and change.");
  m.def("adam_learner", &adam, "latent"_a, "m"_a, "v"_a, "columns"_a, nb::kw_only(), "beta1"_a,
        "beta2"_a, "epsilon"_a,
        "Latent weights, (rows, columns padded) float32, and moments that learn as `adam` says,\n"
        "clipped at 1. The arrays stay the caller's, and change.");
  m.def("bop_learner", &bop, "bits"_a, "m"_a, "columns"_a, nb::kw_only(),
        "adaptivity_per_rate"_a, "threshold"_a,
        "Weight bits, (rows, ceil(columns / 8)) uint8, that learn as `bop` says, with an adaptivity\n"
        "that is so many times the learning rate. m: (rows, columns padded) float32. The arrays stay\n"
        "the caller's, and change.");
  nb::class_<BoundTrainer>(m, "Trainer", "A network in training; see kernels/training.hpp.")
      .def("__init__", &build, "learners"_a, "running"_a, "parameters"_a, "m"_a, "v"_a,
           nb::kw_only(), "max_gradient"_a.none(), "stochastic"_a, "label_smoothing"_a, "epsilon"_a,
           "momentum"_a, "beta1"_a, "beta2"_a, "adam_epsilon"_a, "seed"_a, "threads"_a,
           "convolutions"_a = std::vector<ShapeTuple>(),
           "learners: of each layer, of which the first reads pixels. running: of each layer,\n"
           "(panels, 2, 32) float32 mean and unbiased variance of its sums. parameters: gain and\n"
           "bias of all layers, (panels of all, 2, 32) float32, with moments m and v of Adam. The\n"
           "arrays stay the caller's, and change. max_gradient: the largest absolute value that\n"
           "gradients are rounded to, None if they are exact. convolutions: of the first layers,\n"
           "which have weights of 9 channels each, (height, width, channels, stride, pool).")
      .def("step", &step, "images"_a, "index"_a, "labels"_a, nb::kw_only(), "learning_rate"_a,
           "step_size"_a, "correction"_a, "correction_before"_a, "weight_noise"_a, "number"_a,
           "instruction_set"_a = "",
           "Take a step: forward, backward, update. images: nibbles, (images, 16 panels) uint8;\n"
           "index: (batch) int64, those that make the batch; labels: (batch) uint8. step_size,\n"
           "correction: of Adam, as `adam` takes them; correction_before: as `rowprop` takes it.\n"
           "number: of the step, for its random numbers.")
      .def_ro("max_batch", &BoundTrainer::max_batch, "The most images that a step takes.")
      .def("seconds", &seconds, "Return the seconds of every phase, in all steps so far.")
      .def("bytes", &bytes,
           "Return the bytes that a step holds by kind, beside the arrays of the caller's.");
}

}  // namespace bindings
