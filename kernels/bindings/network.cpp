// The trained network for Python: checked once, when it is built.
#include <nanobind/stl/vector.h>

#include <limits>

#include "../network.hpp"
#include "common.hpp"

namespace bindings {
namespace {

using kernels::Form;
using kernels::IntRows;
using kernels::LayerBits;
using kernels::Network;

struct PackedNetwork {
  Network network;
  kernels::Levels levels;
};

std::vector<float> check_floats(nb::handle object, const char* name, std::size_t size) {
  const auto array = check<const float>(object, name, 1);
  require(array.shape, 0, size, name);
  return {array.data, array.data + size};
}

void check_inputs(std::size_t inputs, std::size_t max) {
  if (inputs == 0 || inputs > max) {
    throw nb::value_error(("inputs must be in 1.." + std::to_string(max)).c_str());
  }
}

kernels::Levels check_levels(nb::handle object) {
  const auto array = check<const std::uint8_t>(object, "levels", 1);
  require(array.shape, 0, 256, "levels");
  kernels::Levels levels{};
  for (std::size_t byte = 0; byte < 256; ++byte) {
    const std::uint8_t level = array.data[byte];
    if (level > 15) throw nb::value_error("levels must be at most 15");
    if (byte > 0 && level < array.data[byte - 1]) throw nb::value_error("levels must not fall");
    levels.of[byte] = level;
    while (levels.count < level) levels.first[levels.count++] = static_cast<std::uint8_t>(byte);
  }
  return levels;
}

void build(PackedNetwork* self, nb::handle levels_object,
           const std::vector<nb::object>& inputs_objects,
           const std::vector<nb::object>& bits, const std::vector<nb::object>& thresholds,
           nb::handle scale, nb::handle shift, const std::vector<ShapeTuple>& shapes,
           const std::vector<nb::object>& smallest, const std::string& name) {
  const kernels::Levels levels = check_levels(levels_object);
  std::vector<std::size_t> inputs;
  for (const auto& each : inputs_objects) inputs.push_back(to_count(each, "inputs"));
  if (bits.size() <= shapes.size() || bits.size() != inputs.size() || bits.size() != thresholds.size() + 1) {
    throw nb::value_error("bits and inputs must have an entry a layer, thresholds one less");
  }
  if (smallest.size() != shapes.size()) {
    throw nb::value_error("smallest must have an entry for each convolution");
  }
  std::vector<kernels::ConvolutionBits> convolutions;
  std::vector<LayerBits> layers;
  std::vector<std::vector<std::int32_t>> below;
  std::size_t passes = 1;
  for (std::size_t i = 0; i < bits.size(); ++i) {
    check_inputs(inputs[i], i == 0 ? kernels::products::kMaxInts : kernels::products::kMaxBits);
    const auto rows = check<const std::uint8_t>(bits[i], "bits", 2);
    require(rows.shape, 1, bytes_for(inputs[i]), "bits");
    const bool is_convolution = i < shapes.size();
    if (is_convolution) {
      const auto shape = to_shape(shapes[i], rows.shape[0]);
      check_follows(shape, i == 0 ? nullptr : &convolutions.back().shape);
      if (inputs[i] != shape.elements()) {
        throw nb::value_error("a convolution's inputs must be 9 times its channels");
      }
      const auto flags = check<const std::uint8_t>(smallest[i], "smallest", 1);
      require(flags.shape, 0, bytes_for(rows.shape[0]), "smallest");
      convolutions.push_back({shape, rows.data, {}, {flags.data, flags.data + flags.shape[0]}});
    } else {
      const bool is_first = layers.empty();
      const std::size_t before = !is_first           ? layers.back().outputs
                                 : shapes.empty() ? inputs[i]
                                                  : map_size(convolutions.back().shape);
      if (inputs[i] != before) {
        throw nb::value_error("inputs must be the outputs of the layer before");
      }
      layers.push_back({rows.data, inputs[i], rows.shape[0]});
    }
    if (i == thresholds.size()) break;
    const auto numbers = check<const std::int32_t>(thresholds[i], "thresholds", 2);
    if (i == 0) passes = numbers.shape[0];
    require(numbers.shape, 0, passes, "thresholds");
    require(numbers.shape, 1, rows.shape[0], "thresholds");
    std::vector<std::int32_t>& limits =
        is_convolution ? convolutions.back().below : below.emplace_back();
    limits.assign(numbers.data, numbers.data + passes * numbers.shape[1]);
    for (auto& limit : limits) {
      if (limit == std::numeric_limits<std::int32_t>::min()) {
        throw nb::value_error("thresholds must be above -2^31");
      }
      --limit;
    }
  }
  const std::size_t classes = layers.back().outputs;
  kernels::ScoreScale last{check_floats(scale, "scale", classes),
                           check_floats(shift, "shift", classes)};
  new (self) PackedNetwork{
      Network(chosen(name), convolutions, layers, passes, below, std::move(last)), levels};
}

void scores(const PackedNetwork& self, nb::handle images_object, nb::handle out_object,
            bool encoded, nb::handle threads) {
  const auto images = check<const std::uint8_t>(images_object, "images", 2);
  const std::size_t pixels = self.network.pixels();
  if (encoded ? images.shape[1] * 2 < pixels : images.shape[1] != pixels) {
    throw nb::value_error(("images must have " + std::to_string(pixels) +
                           (encoded ? " pixels, two a byte, on axis 1" : " pixels on axis 1"))
                              .c_str());
  }
  const auto out = check<float>(out_object, "out", 2);
  require(out.shape, 0, images.shape[0], "out");
  require(out.shape, 1, self.network.classes(), "out");
  const IntRows rows{images.data, images.shape[1], nullptr,
                     encoded ? Form::nibbles : Form::pixels,
                     encoded ? nullptr : &self.levels};
  const int team = checked_threads(threads);
  nb::gil_scoped_release unlocked;
  self.network.scores(rows, images.shape[0], out.data, team);
}

}  // namespace

void bind_network(nb::module_& m) {
  nb::class_<PackedNetwork>(m, "Network", "A trained network, which never changes.")
      .def("__init__", &build, "levels"_a, "inputs"_a, "bits"_a, "thresholds"_a, "scale"_a,
           "shift"_a, nb::kw_only(), "convolutions"_a = std::vector<ShapeTuple>(),
           "smallest"_a = std::vector<nb::object>(), "instruction_set"_a = "",
           "Copy a network. levels: (256) uint8 of 0..15, none below the one before: what a byte of a\n"
           "pixel stands for. Of each layer: inputs, and bits, (outputs, ceil(inputs / 8)) uint8. Of\n"
           "each but the last: thresholds, (passes, outputs) int32, at which a sum makes a 1. scale,\n"
           "shift: (classes) float32. The scores are the mean of the passes'. convolutions: of the first\n"
           "layers, (height, width, channels, stride, pool). smallest: of each, bits of features of\n"
           "which the smallest of four pooled sums counts, (features / 8) uint8.")
      .def("scores", &scores, "images"_a, "out"_a, nb::kw_only(), "encoded"_a = false, "threads"_a = 1,
           "Write the scores of images to out, (images, classes) float32. images: (images, pixels)\n"
           "uint8, or if `encoded` two levels a byte, (images, bytes).");
}

}  // namespace bindings
