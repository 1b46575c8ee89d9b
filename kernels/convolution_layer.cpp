#include "convolution_layer.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "parallel.hpp"
#include "patches.hpp"

namespace kernels {

using convolution::Grid;
using convolution::kSide;
using convolution::kTaps;
using products::Range;

namespace {

// Rounded gradients of a panel of a map, (out, 32), to the sums that they are of. The sums are
// `step` apart in rows of `row`, each of `size` numbers.
void place_gradients(const InstructionSet& set, const Shape& shape, const std::int8_t* rounded,
                     const std::uint8_t* places, std::int8_t* to, std::size_t row,
                     std::size_t step, std::size_t size) {
  const std::size_t width = shape.out_width();
  for (std::size_t y = 0; y < shape.out_height(); ++y, rounded += width * kPanel) {
    if (!shape.pool) {
      std::int8_t* out = to + y * step * row * size;
      for (std::size_t x = 0; x < width; ++x) {
        std::memcpy(out + x * step * size, rounded + x * kPanel, kPanel);
      }
      continue;
    }
    for (std::uint8_t place = 0; place < 4; ++place) {
      const std::size_t at = ((2 * y + place / 2) * row + place % 2) * step;
      set.convolution->select(rounded, places + y * width * kPanel, width, place, to + at * size,
                              2 * step * size);
    }
  }
}

// Rounded gradients by bits, added to what out holds.
void add_gradients_by_bits(const InstructionSet& set, Rounded a, std::size_t elements,
                           products::PanelOperand b, Output out, Range range) {
  const auto multiply = [&](Form form, int weight) {
    const IntRows rows{reinterpret_cast<const std::uint8_t*>(a.data), a.stride, nullptr, form};
    set.products->ints_by_bits({rows, elements, b, weight, true, out, range});
  };
  if (a.max <= 7) {
    multiply(Form::small, 1);
  } else {
    multiply(Form::low, 1);
    multiply(Form::high, 16);
  }
}

}  // namespace

std::size_t ConvolutionMemory::size() const {
  return gradients[0].size() + gradients[1].size() + factors[0].size() + factors[1].size() +
         scratch.size() + totals.size() + column_factors.size() + image_factors.size() +
         sums.size() + learnt.size();
}

ConvolutionLayer::ConvolutionLayer(const Shape& shape, std::size_t index,
                                   Learner* learner, float* parameters, float* gradient,
                                   float* running)
    : shape_(shape),
      index_(index),
      panels_(panels_for(shape.features)),
      learner_(learner),
      parameters_(parameters),
      gradient_(gradient),
      running_(running),
      batch_(panels_ * kBatchSize) {}

std::size_t ConvolutionLayer::weight_bytes() const { return rows_.size() + weights_.size(); }

std::size_t ConvolutionLayer::saved_bytes() const {
  return bits_.size() + sums_.size() + places_.size() + batch_.size() * sizeof(float);
}

// ---- forward ---------------------------------------------------------------------------------

// This step's bits; of the first layer also as numbers, (panels, elements, 32).
void ConvolutionLayer::binarize_weights(const StepContext& context, bool of_pixels) {
  const std::size_t elements = shape_.elements(), bytes = bytes_for(elements);
  std::uint8_t* rows = rows_.get<std::uint8_t>(shape_.features * bytes);
  learner_->binarize(context.team(), context.step.weight_noise, context.draw(index_, kWeights),
                     rows);
  if (!of_pixels) {
    interleave(context.team(), rows, shape_.features, bytes,
               weights_.get<std::uint8_t>(panels_ * bytes * kPanel));
    return;
  }
  write_numbers(rows, shape_,
                weights_.get<std::int16_t>(panels_ * elements * kPanel));
}

// The sums of an image, pooled, to their place in the batch.
void ConvolutionLayer::sum_image(const StepContext& context, const MapInput& x, std::size_t image,
                                 std::uint8_t* scratch) {
  const std::size_t out = shape_.out(), summed = shape_.summed();
  const std::size_t panel_size = context.batch() * out * kPanel;
  const MapWeights weights{weights_.content<std::uint8_t>(),
                           x.bits == nullptr ? weights_.content<std::int16_t>() : nullptr};
  std::int16_t* to = sums_.content<std::int16_t>() + image * out * kPanel;
  if (!shape_.pool) {
    map_sums(context.set, shape_, weights, x, image, to, panel_size, scratch);
    return;
  }
  Arena arena(scratch);
  auto* sums = arena.take<std::int16_t>(panels_ * summed * kPanel);
  map_sums(context.set, shape_, weights, x, image, sums, summed * kPanel,
           arena.take<std::uint8_t>(0));
  for (std::size_t p = 0; p < panels_; ++p) {
    context.set.convolution->max_pool(
        sums + p * summed * kPanel, shape_.summed_height(), shape_.summed_width(),
        to + p * panel_size,
        places_.content<std::uint8_t>() + p * panel_size + image * out * kPanel);
  }
}

const std::uint8_t* ConvolutionLayer::forward(const StepContext& context,
                                              ConvolutionMemory& memory, const MapInput& x) {
  context.clock.enter(Phase::kForward);
  binarize_weights(context, x.bits == nullptr);
  const std::size_t batch = context.batch(), rows = batch * shape_.out();
  sums_.get<std::int16_t>(panels_ * rows * kPanel);
  if (shape_.pool) places_.get<std::uint8_t>(panels_ * rows * kPanel);
  // Sums and sums of squares are integers: a double adds them exactly, in any order.
  auto* statistics = memory.totals.get<double>(batch * panels_ * 2 * kPanel);
  Arena needed(nullptr);
  needed.take<std::int16_t>(shape_.pool ? panels_ * shape_.summed() * kPanel : 0);
  needed.take<std::uint8_t>(map_sums_scratch(shape_));
  const auto threads = static_cast<std::size_t>(context.options.threads);
  auto* scratch = memory.scratch.get<std::uint8_t>(threads * needed.size());
  const int team = worth_starting(batch * shape_.summed() * shape_.elements() * panels_ * kPanel,
                                  kBitsMultiplied, context.options.threads);
  for_each(batch, team, [&](std::size_t image, std::size_t thread) {
    sum_image(context, x, image, scratch + thread * needed.size());
    for (std::size_t p = 0; p < panels_; ++p) {
      const auto* sums = sums_.content<std::int16_t>() + (p * rows + image * shape_.out()) * kPanel;
      double* to = statistics + (image * panels_ + p) * 2 * kPanel;
      context.set.normalization->statistics({sums, false, shape_.out()}, to, to + kPanel);
    }
  });
  context.clock.enter(Phase::kNormalization);
  normalize(context, statistics);
  std::uint8_t* bits = bits_.get<std::uint8_t>(rows * bytes_for(shape_.features));
  const Draw draw = context.draw(index_, kActivations);
  binarize(context.team(), {sums_.content<std::int16_t>(), false, panels_, rows}, batch_.data(), 0,
           shape_.features, context.options.stochastic ? &draw : nullptr, bits);
  context.clock.enter(Phase::kForward);
  return bits;
}

void ConvolutionLayer::normalize(const StepContext& context, const double* of_images) {
  const std::size_t rows = context.batch() * shape_.out();
  for (std::size_t p = 0; p < panels_; ++p) {
    double totals[2 * kPanel] = {};
    for (std::size_t image = 0; image < context.batch(); ++image) {
      const double* from = of_images + (image * panels_ + p) * 2 * kPanel;
      for (std::size_t i = 0; i < 2 * kPanel; ++i) totals[i] += from[i];
    }
    batch_row(totals, totals + kPanel, rows, parameters_ + p * kPairSize, context.options.epsilon,
              batch_.data() + p * kBatchSize);
  }
  update_running(context.options, rows, panels_, batch_.data(), running_);
}

// ---- backward --------------------------------------------------------------------------------

ConvolutionLayer::PanelOfImage ConvolutionLayer::panel_of(const StepContext& context,
                                                          const MapGradient& incoming,
                                                          std::size_t image, std::size_t panel,
                                                          float* factors) const {
  using Type = normalization::Gradient::Type;
  const std::size_t out = shape_.out();
  const std::size_t at = (panel * context.batch() + image) * out * kPanel;
  std::fill_n(factors, out, incoming.factors[image]);
  const void* data = incoming.wide
                         ? static_cast<const void*>(static_cast<const std::int32_t*>(incoming.data) + at)
                         : static_cast<const std::int16_t*>(incoming.data) + at;
  return {{sums_.content<std::int16_t>() + at, false, out},
          batch_of(batch_.data() + panel * kBatchSize),
          {incoming.wide ? Type::wide : Type::narrow, data, factors}};
}

// The weights' bits by panels of the channels that they read: (taps, panels, features padded / 8,
// 32).
void ConvolutionLayer::transpose_weights(const StepContext& context, std::uint8_t* out) const {
  const std::size_t size = shape_.channels / 8, bytes = bytes_for(shape_.elements());
  const std::size_t of_panel = panels_ * kPanel / 8 * kPanel;
  std::vector<std::uint8_t> matrix(shape_.features * size);
  for (std::size_t tap = 0; tap < kTaps; ++tap) {
    for (std::size_t n = 0; n < shape_.features; ++n) {
      std::memcpy(matrix.data() + n * size,
                  rows_.content<std::uint8_t>() + n * bytes + tap * size, size);
    }
    for (std::size_t p = 0; p < panels_for(shape_.channels); ++p, out += of_panel) {
      std::memset(out, 0, of_panel);
      context.set.packing->transpose_panel(matrix.data(), shape_.features, shape_.channels, p, out);
    }
  }
}

MapGradient ConvolutionLayer::backward(const StepContext& context, ConvolutionMemory& memory,
                                       const MapInput& x, const MapGradient& incoming) {
  const InstructionSet& set = context.set;
  const std::size_t batch = context.batch(), out = shape_.out(), in = shape_.in();
  const std::size_t rows = batch * out, elements = shape_.elements();
  const std::size_t width = panels_ * kPanel;  // features, padded
  const int max = context.options.max_gradient;
  const bool of_pixels = x.bits == nullptr;
  const std::size_t size = shape_.channels / 8, in_panels = panels_for(shape_.channels);
  const Grid grid = shape_.grid();
  const std::size_t span = grid.span(), span_bytes = bytes_for(span), columns = padded(span);
  const auto threads = static_cast<std::size_t>(context.options.threads);

  const bool wide = kTaps * width * static_cast<std::size_t>(max) > products::kMaxBitsNarrow;
  const std::size_t bytes = wide ? sizeof(std::int32_t) : sizeof(std::int16_t);
  // Rows of sums whose share in the input gradient is computed at a time.
  const std::size_t line = shape_.summed_width(), summed = shape_.summed();
  const std::size_t part_rows = std::max(std::size_t{1}, kPatches / line);

  // What an image's passes need, a thread.
  struct Arrays {
    float *factors, *g;
    std::int8_t *rounded, *rows, *span_rows, *columns;
    std::uint8_t *map, *turned, *shifted, *parts, *added;
  };
  const auto arrays_of = [&](Arena& arena) {
    Arrays a{};
    a.factors = arena.take<float>(std::max(out, kPanel));
    a.g = arena.take<float>(out * kPanel);
    a.rounded = arena.take<std::int8_t>(out * kPanel);
    a.span_rows = arena.take<std::int8_t>(round_up(span, kPanel) * kPanel);
    a.map = arena.take<std::uint8_t>(grid.size() * shape_.channels);
    if (of_pixels) return a;
    a.rows = arena.take<std::int8_t>(summed * width);
    a.parts = arena.take<std::uint8_t>(kTaps * in_panels * part_rows * line * kPanel * bytes);
    a.added = arena.take<std::uint8_t>(in_panels * grid.size() * kPanel * bytes);
    a.columns = arena.take<std::int8_t>(width * columns);
    a.turned = arena.take<std::uint8_t>(in_panels * (bytes_for(grid.size()) + 2) * kPanel);
    a.shifted = arena.take<std::uint8_t>(kTaps * in_panels * span_bytes * kPanel);
    return a;
  };
  Arena needed(nullptr);
  arrays_of(needed);
  auto* scratch = memory.scratch.get<std::uint8_t>(threads * needed.size());
  const auto arrays_for = [&](std::size_t thread) {
    Arena arena(scratch + thread * needed.size());
    return arrays_of(arena);
  };
  const int team = worth_starting(rows * width, kSumsNormalized, context.options.threads);

  // The gradient through normalization needs what it sums to over the whole batch; rounding needs
  // the largest. So an image's gradient is computed three times, which takes less memory than to
  // hold it.
  context.clock.enter(Phase::kNormalization);
  const std::size_t pair_size = 2 * kPanel;
  auto* of_images = memory.totals.get<double>(batch * panels_ * pair_size);
  std::fill_n(of_images, batch * panels_ * pair_size, 0.0);
  for_each(batch, team, [&](std::size_t image, std::size_t thread) {
    const Arrays a = arrays_for(thread);
    for (std::size_t p = 0; p < panels_; ++p) {
      const PanelOfImage of = panel_of(context, incoming, image, p, a.factors);
      set.normalization->activation_totals(of.sums, of.batch, of.gradient, true,
                                           of_images + (image * panels_ + p) * pair_size);
    }
  });
  std::vector<double> totals(panels_ * pair_size, 0.0);
  for (std::size_t image = 0; image < batch; ++image) {
    for (std::size_t i = 0; i < totals.size(); ++i) {
      totals[i] += of_images[image * totals.size() + i];
    }
  }
  for (std::size_t p = 0; p < panels_; ++p) {
    for (std::size_t i = 0; i < kPanel; ++i) {
      gradient_[p * kPairSize + i] = static_cast<float>(totals[p * pair_size + kPanel + i]);
      gradient_[p * kPairSize + kPanel + i] = static_cast<float>(totals[p * pair_size + i]);
    }
  }
  const auto sum_gradient = [&](const Arrays& a, std::size_t image, std::size_t p) {
    const PanelOfImage of = panel_of(context, incoming, image, p, a.factors);
    set.normalization->sum_gradient(of.sums, of.batch, of.gradient, true,
                                    totals.data() + p * pair_size, rows, a.g);
  };
  auto* largest = memory.image_factors.get<float>(batch * width);
  for_each(batch, team, [&](std::size_t image, std::size_t thread) {
    const Arrays a = arrays_for(thread);
    for (std::size_t p = 0; p < panels_; ++p) {
      sum_gradient(a, image, p);
      set.rounding->column_factors(a.g, out, max, largest + image * width + p * kPanel);
    }
  });
  // A factor a feature for the weight gradient, and one an image for the input gradient.
  auto* column_factors = memory.column_factors.get<float>(width + batch);
  float* row_factors = column_factors + width;
  std::fill_n(column_factors, width + batch, 0.0F);
  for (std::size_t image = 0; image < batch; ++image) {
    for (std::size_t n = 0; n < shape_.features; ++n) {
      const float factor = largest[image * width + n];
      column_factors[n] = std::max(column_factors[n], factor);
      row_factors[image] = std::max(row_factors[image], factor);
    }
  }

  context.clock.enter(Phase::kBackward);
  const std::size_t outgoing = index_ % 2;
  float* factors = nullptr;
  std::uint8_t* gradients = nullptr;
  std::vector<std::uint8_t> weights;
  if (!of_pixels) {
    factors = memory.factors[outgoing].get<float>(batch);
    const float limit = kMaxSumGradient / static_cast<float>(max);
    for (std::size_t i = 0; i < batch; ++i) factors[i] = std::min(row_factors[i], limit);
    gradients = memory.gradients[outgoing].get<std::uint8_t>(in_panels * batch * in * kPanel *
                                                             bytes);
    weights.resize(in_panels * kTaps * width / 8 * kPanel);
    transpose_weights(context, weights.data());
  }
  const std::size_t sums_size =
      of_pixels ? width * elements : shape_.features * kTaps * in_panels * kPanel;
  auto* learnt_sums = memory.sums.get<std::int32_t>(threads * sums_size);
  std::fill_n(learnt_sums, threads * sums_size, 0);
  const std::size_t pairs = (out + 1) / 2;
  for_each(batch, team, [&](std::size_t image, std::size_t thread) {
    const Arrays a = arrays_for(thread);
    std::int32_t* sums = learnt_sums + thread * sums_size;
    if (of_pixels) {
      place_pixels(x.pixels, image, grid, shape_.channels, a.map);
    } else {
      place_bits(x.bits + image * in * size, grid, size, a.map);
      std::memset(a.rows, 0, summed * width);
    }
    std::memset(a.span_rows, 0, span * kPanel);
    for (std::size_t p = 0; p < panels_; ++p) {
      sum_gradient(a, image, p);
      const std::uint8_t* places =
          shape_.pool ? places_.content<std::uint8_t>() + (p * rows + image * out) * kPanel
                      : nullptr;
      set.convolution->round(a.g, out, column_factors + p * kPanel,
                             context.draw(index_, kColumns), image * pairs, p, a.rounded);
      place_gradients(set, shape_, a.rounded, places, a.span_rows, grid.stride(), shape_.stride,
                      kPanel);
      if (of_pixels) {
        set.convolution->pixel_gradients(a.map, grid, shape_.channels, a.span_rows, max,
                                         sums + p * elements * kPanel);
        continue;
      }
      set.convolution->columns(a.span_rows, span, kPanel, a.columns + p * kPanel * columns,
                               columns);
      for (std::size_t i = 0; i < kPanel; ++i) {
        // Features that do not exist are rounded to 0.
        a.factors[i] = p * kPanel + i < shape_.features ? row_factors[image] : 0.0F;
      }
      set.convolution->round(a.g, out, a.factors, context.draw(index_, kRows), image * pairs, p,
                             a.rounded);
      place_gradients(set, shape_, a.rounded, places, a.rows + p * kPanel, line, 1, width);
    }
    if (of_pixels) return;
    std::memset(a.added, 0, in_panels * grid.size() * kPanel * bytes);
    for (std::size_t first = 0; first < shape_.summed_height(); first += part_rows) {
      const std::size_t some = std::min(part_rows, shape_.summed_height() - first);
      const std::size_t panel = some * line * kPanel;
      gradients_by_bits(set, {a.rows + first * line * width, width, max}, width,
                        {weights.data(), width / 8}, {a.parts, wide, kPanel, panel},
                        {0, some * line, 0, kTaps * in_panels});
      for (std::size_t part = 0; part < kTaps * in_panels; ++part) {
        const std::size_t tap = part / in_panels, p = part % in_panels;
        for (std::size_t y = 0; y < some; ++y) {
          const std::size_t at = p * grid.size() +
                                 (first + y) * shape_.stride * grid.stride() + grid.offset(tap);
          set.convolution->add_sums(a.parts + (part * panel + y * line * kPanel) * bytes, wide,
                                    line, shape_.stride, a.added + at * kPanel * bytes);
        }
      }
    }
    for (std::size_t p = 0; p < in_panels; ++p) {
      for (std::size_t y = 0; y < shape_.height; ++y) {
        const std::size_t to = (p * batch + image) * in + y * shape_.width;
        std::memcpy(gradients + to * kPanel * bytes,
                    a.added + (p * grid.size() + grid.at(y, 0)) * kPanel * bytes,
                    shape_.width * kPanel * bytes);
      }
    }
    const std::size_t turned_bytes = bytes_for(grid.size()) + 2;
    for (std::size_t p = 0; p < in_panels; ++p) {
      std::uint8_t* turned = a.turned + p * turned_bytes * kPanel;
      std::memset(turned + (turned_bytes - 2) * kPanel, 0, 2 * kPanel);
      set.packing->transpose_panel(a.map, grid.size(), shape_.channels, p, turned);
      for (std::size_t tap = 0; tap < kTaps; ++tap) {
        set.convolution->shift(turned, grid.offset(tap), span_bytes,
                               a.shifted + (tap * in_panels + p) * span_bytes * kPanel);
      }
    }
    add_gradients_by_bits(set, {a.columns, columns, max}, span, {a.shifted, span_bytes},
                          {sums, true, kTaps * in_panels * kPanel, kPanel},
                          {0, shape_.features, 0, kTaps * in_panels});
  });

  context.clock.enter(Phase::kOptimizer);
  const std::size_t row = padded(elements);
  auto* learnt = memory.learnt.get<std::int32_t>(shape_.features * row);
  const int learners = worth_starting(shape_.features * row, kWeightsLearnt, context.options.threads);
  for_each_part(shape_.features, kRowUnit, learners, [&](std::size_t begin, std::size_t end) {
    for (std::size_t n = begin; n < end; ++n) {
      for (std::size_t k = 0; k < row; ++k) {
        std::int32_t total = 0;
        if (k < elements) {
          const std::size_t tap = k / shape_.channels, c = k % shape_.channels;
          const std::size_t at =
              of_pixels ? (n / kPanel * elements + k) * kPanel + n % kPanel
                        : (n * kTaps + tap) * in_panels * kPanel + c;
          for (std::size_t t = 0; t < threads; ++t) total += learnt_sums[t * sums_size + at];
        }
        learnt[n * row + k] = total;
      }
    }
    learner_->update(set, {learnt + begin * row, optimizers::Gradient::Type::wide,
                           column_factors + begin},
                     begin, end - begin, context.step.rate, context.draw(index_, kUpdate));
  });
  context.clock.enter(Phase::kBackward);
  return {gradients, wide, factors};
}

}  // namespace kernels
