#include "training.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "parallel.hpp"

namespace kernels {

using products::Range;

namespace {

using Seconds = PhaseClock::Seconds;

// The sums of a block: four panels at a batch of 5,000, which is what the products of pixels take
// together. Twice as many would save a fifth of the time there, since every block builds tables of
// the inputs, and would take a tenth more memory.
constexpr std::size_t kSumsBytes = 5U << 18;
// A layer whose sums fit this is one block: its backward pass finds them as they were.
constexpr std::size_t kAllSumsBytes = 2 * kSumsBytes;
// The float32 gradients of a part: two panels at a batch of 5,000, so that two threads have work.
constexpr std::size_t kGradientBytes = 5U << 18;
// The rounded gradients, a byte each, of a group of features.
constexpr std::size_t kColumnsBytes = 5U << 17;
// A tile of the weight gradient fits the second-level cache; it has rows enough for what a product
// prepares of its other operand to pay.
constexpr std::size_t kTileBytes = 400U << 10;
constexpr std::size_t kLeastTileRows = 64;

}  // namespace

void* Buffer::bytes(std::size_t size) {
#if defined(__SANITIZE_ADDRESS__)
  // Then each array has memory of its own size, whose ends the sanitizer watches.
  const bool fits = size == size_;
#else
  const bool fits = size <= size_;
#endif
  if (!fits) {
    // The old memory goes first: growing must not hold both.
    memory_.reset();
    size_ = 0;
    memory_.emplace(size);
    size_ = size;
  }
  return memory_->get();
}

void update_running(const TrainerOptions& options, std::size_t rows, std::size_t panels,
                    const float* batch, float* running) {
  const auto count = static_cast<double>(rows);
  const float unbiased = static_cast<float>(count / (count - 1));
  for (std::size_t p = 0; p < panels; ++p, batch += kBatchSize, running += kPairSize) {
    for (std::size_t i = 0; i < kPanel; ++i) {
      const float variance = batch[kVariance * kPanel + i] * unbiased;
      running[i] += options.momentum * (batch[kMean * kPanel + i] - running[i]);
      running[kPanel + i] += options.momentum * (variance - running[kPanel + i]);
    }
  }
}

Trainer::Trainer(const std::vector<ConvolutionState>& convolutions,
                 const std::vector<LayerState>& layers, NormalizationState normalization,
                 const TrainerOptions& options)
    : normalization_(normalization), options_(options) {
  std::size_t panels = 0;
  for (const ConvolutionState& each : convolutions) panels += panels_for(each.shape.features);
  for (const LayerState& layer : layers) panels += panels_for(layer.outputs);
  normalization_gradient_.assign(panels * kPairSize, 0.0F);
  std::size_t at = 0;
  for (const ConvolutionState& state : convolutions) {
    convolutions_.emplace_back(state.shape, convolutions_.size(), state.learner,
                               normalization.parameters + at, normalization_gradient_.data() + at,
                               state.running);
    at += convolutions_.back().panels() * kPairSize;
  }
  for (const LayerState& state : layers) {
    Layer layer{};
    layer.index = convolutions_.size() + layers_.size();
    layer.inputs = state.inputs;
    layer.outputs = state.outputs;
    layer.panels = panels_for(state.outputs);
    layer.last = layers_.size() + 1 == layers.size();
    layer.learner = state.learner;
    layer.parameters = normalization.parameters + at;
    layer.gradient = normalization_gradient_.data() + at;
    layer.running = state.running;
    layer.batch.assign(layer.panels * kBatchSize, 0.0F);
    at += layer.panels * kPairSize;
    layers_.push_back(std::move(layer));
  }
}

void Trainer::step(const InstructionSet& set, const Step& step) {
  const StepContext context{set, step, options_, clock_};
  enter(Phase::kForward);
  std::vector<MapInput> maps;
  const std::uint8_t* map = nullptr;
  for (ConvolutionLayer& convolution : convolutions_) {
    maps.push_back({step.images, map});
    map = convolution.forward(context, memory_, maps.back());
  }
  std::vector<Operand> inputs{{step.images, map, layers_.front().inputs}};
  for (std::size_t i = 0; i + 1 < layers_.size(); ++i) {
    forward(context, layers_[i], inputs.back());
    const std::uint8_t* bits = layers_[i].bits.content<std::uint8_t>();
    inputs.push_back({{}, bits, layers_[i].outputs});
  }
  Incoming incoming = forward_to_loss(context, layers_.back(), inputs.back());
  enter(Phase::kBackward);
  for (std::size_t i = layers_.size(); i-- > 0;) {
    // Each layer updates and clips its weights here, when their gradient is there.
    incoming = backward(context, layers_[i], inputs[i], incoming);
  }
  if (!convolutions_.empty()) {
    MapGradient gradient = map_gradient(context, incoming);
    for (std::size_t i = convolutions_.size(); i-- > 0;) {
      gradient = convolutions_[i].backward(context, memory_, maps[i], gradient);
    }
  }
  update_normalization(context);
  enter(std::nullopt);
}

// ---- forward ---------------------------------------------------------------------------------

void Trainer::forward(const StepContext& context, Layer& layer, const Operand& x) {
  binarize_weights(context, layer);
  std::uint8_t* bits = layer.bits.get<std::uint8_t>(context.batch() * bytes_for(layer.outputs));
  const Draw draw = context.draw(layer.index, kActivations);
  for (const Panels block : blocks_of(context, layer)) {
    const Sums sums = sums_of(context, layer, x, block);
    normalize(context, layer, block, sums);
    binarize(context.team(), sums, layer.batch.data() + block.first * kBatchSize, block.first,
             layer.outputs, options_.stochastic ? &draw : nullptr, bits);
    enter(Phase::kForward);
  }
  update_running(context, layer);
}

Trainer::Incoming Trainer::forward_to_loss(const StepContext& context, Layer& layer,
                                           const Operand& x) {
  binarize_weights(context, layer);
  const Panels all{0, layer.panels};
  const Sums sums = sums_of(context, layer, x, all);
  normalize(context, layer, all, sums);
  update_running(context, layer);
  float* gradient = gradient_.get<float>(layer.panels * context.batch() * kPanel);
  softmax_gradient(context.team(), sums, layer.batch.data(), context.step.labels, layer.outputs,
                   options_.label_smoothing, gradient);
  return {gradient, nullptr, nullptr, nullptr, 0};
}

void Trainer::binarize_weights(const StepContext& context, Layer& layer) {
  const std::size_t bytes = bytes_for(layer.inputs);
  std::uint8_t* rows = layer.rows.get<std::uint8_t>(layer.outputs * bytes);
  layer.learner->binarize(context.team(), context.step.weight_noise,
                          context.draw(layer.index, kWeights), rows);
  interleave(context.team(), rows, layer.outputs, bytes,
             layer.weight_panels.get<std::uint8_t>(layer.panels * bytes * kPanel));
  layer.held.reset();
}

// Compute the batch's statistics of a block.
void Trainer::normalize(const StepContext& context, Layer& layer, Panels block, Sums sums) {
  enter(Phase::kNormalization);
  batch_statistics(context.team(), sums, layer.parameters + block.first * kPairSize,
                   options_.epsilon, layer.batch.data() + block.first * kBatchSize);
}

void Trainer::update_running(const StepContext& context, Layer& layer) {
  enter(Phase::kNormalization);
  kernels::update_running(options_, context.batch(), layer.panels, layer.batch.data(),
                          layer.running);
  enter(Phase::kForward);
}

std::vector<Trainer::Panels> Trainer::blocks_of(const StepContext& context, const Layer& layer) const {
  // Softmax needs all classes of an image.
  if (layer.last) return {{0, layer.panels}};
  const std::size_t limit =
      reads_pixels(layer) ? products::kMaxIntsNarrow : products::kMaxBitsNarrow;
  const std::size_t bytes_of_panel = context.batch() * kPanel * (layer.inputs > limit ? 4 : 2);
  if (layer.panels * bytes_of_panel <= kAllSumsBytes) return {{0, layer.panels}};
  const std::size_t size = std::max(std::size_t{2}, kSumsBytes / bytes_of_panel);
  std::vector<Panels> blocks;
  for (std::size_t first = 0; first < layer.panels; first += size) {
    blocks.push_back({first, std::min(first + size, layer.panels)});
  }
  return blocks;
}

Sums Trainer::sums_of(const StepContext& context, Layer& layer, const Operand& x, Panels block) {
  const std::size_t limit = x.bits == nullptr ? products::kMaxIntsNarrow : products::kMaxBitsNarrow;
  const bool wide = layer.inputs > limit;
  Sums sums{nullptr, wide, block.size(), context.batch()};
  sums.data = layer.sums.get<std::uint8_t>(block.size() * sums.bytes_of_panel());
  if (layer.held == block) return sums;
  const std::size_t bytes = bytes_for(layer.inputs);
  const std::uint8_t* panels = layer.weight_panels.content<std::uint8_t>();
  const products::PanelOperand b{panels + block.first * bytes * kPanel, bytes};
  if (x.bits == nullptr) {
    std::uint8_t* split =
        split_.get<std::uint8_t>(bytes_of_groups(context.set, b, block.size()));
    pixels_by_bits(context.team(), x.pixels, layer.inputs, b, split, sums.output(), sums.rows,
                   sums.panels);
  } else {
    bits_by_bits(context.team(), x.bits, layer.inputs, b, sums);
  }
  layer.held = block;
  return sums;
}

// ---- backward --------------------------------------------------------------------------------

// Learn from the gradient of this layer's output, and return that of its input. For the first
// layer, where nothing learns from it, it is empty.
Trainer::Incoming Trainer::backward(const StepContext& context, Layer& layer, Operand& x,
                                    const Incoming& incoming) {
  const std::size_t batch = context.batch(), panel = batch * kPanel;
  const std::size_t part_size = std::max(std::size_t{2}, kGradientBytes / (panel * 4));
  const std::size_t group_size =
      std::max(std::size_t{2}, kColumnsBytes / (padded(batch) * kPanel));
  // The layer before gets the gradient of all sums, rounded with a factor per image. In the last
  // layer it takes the place of what comes in. Else it is held of a panel per thread.
  const bool whole = !reads_pixels(layer) || layer.last;
  const auto held = whole ? layer.panels : static_cast<std::size_t>(options_.threads);
  float* of_sums = gradient_.get<float>(held * panel);
  const std::vector<Panels> blocks = blocks_of(context, layer);
  for (std::size_t b = blocks.size(); b-- > 0;) {
    const Panels block = blocks[b];
    const Sums sums = sums_of(context, layer, x, block);
    for (std::size_t g = block.first; g < block.last; g += group_size) {
      const Panels group{g, std::min(g + group_size, block.last)};
      const Columns columns = columns_of(context, layer, group);
      for (std::size_t p = group.first; p < group.last; p += part_size) {
        const Panels part{p, std::min(p + part_size, group.last)};
        const normalization::Gradient gradient = gradient_of(context, incoming, part);
        enter(Phase::kNormalization);
        const Sums of_part{sums.panel(part.first - block.first), sums.wide, part.size(), batch};
        const int threads =
            worth_starting(part.size() * panel, kSumsNormalized, options_.threads);
        for_each(part.size(), threads, [&](std::size_t i, std::size_t thread) {
          float* out = of_sums + (whole ? part.first + i : thread) * panel;
          normalize_backward(context.set, of_part, i, layer.batch.data() + part.first * kBatchSize,
                             gradient, !layer.last, out, layer.gradient + part.first * kPairSize);
          put_columns(context, layer, columns, part.first + i, out);
        });
        enter(Phase::kBackward);
      }
      learn(context, layer, x, columns);
    }
  }
  return reads_pixels(layer) ? Incoming{} : input_gradient(context, layer, of_sums);
}

normalization::Gradient Trainer::gradient_of(const StepContext& context, const Incoming& incoming,
                                             Panels part) {
  using Type = normalization::Gradient::Type;
  if (incoming.ready != nullptr) {
    return {Type::real, incoming.ready + part.first * context.batch() * kPanel, nullptr};
  }
  const std::size_t size = part.size() * context.batch() * kPanel;
  const auto most = incoming.outputs * static_cast<std::size_t>(options_.max_gradient);
  const bool wide = most > products::kMaxBitsNarrow;
  void* out = wide ? static_cast<void*>(input_gradient_.get<std::int32_t>(size))
                   : static_cast<void*>(input_gradient_.get<std::int16_t>(size));
  const Sums sums{out, wide, part.size(), context.batch()};
  const std::size_t bytes = bytes_for(incoming.outputs);
  gradients_by_bits(
      context.team(), {incoming.rounded, padded(incoming.outputs), options_.max_gradient},
      incoming.outputs, {incoming.weights + part.first * bytes * kPanel, bytes}, sums.output(),
      context.batch(), part.size());
  return {wide ? Type::wide : Type::narrow, out, incoming.factors};
}

Trainer::Columns Trainer::columns_of(const StepContext& context, const Layer& layer, Panels group) {
  const std::size_t first = group.first * kPanel;
  const std::size_t count = std::min(group.last * kPanel, layer.outputs) - first;
  if (options_.max_gradient == 0) {
    return {first, count, context.batch(), nullptr,
            columns_.get<float>(count * context.batch()), nullptr};
  }
  const std::size_t stride = padded(context.batch());
  return {first, count, stride, columns_.get<std::int8_t>(count * stride), nullptr,
          column_factors_.get<float>(group.size() * kPanel)};
}

// Take in the gradient of a panel of sums, (batch, 32).
void Trainer::put_columns(const StepContext& context, const Layer& layer, const Columns& columns,
                          std::size_t panel, const float* g) const {
  const std::size_t begin = panel * kPanel - columns.first;
  const std::size_t count = rows_in_panel(panel, layer.outputs);
  const std::size_t batch = context.batch();
  if (columns.exact == nullptr) {
    round_columns(context.set, g, batch, count, options_.max_gradient,
                  context.draw(layer.index, kColumns), panel, columns.rounded + begin * columns.stride,
                  columns.factors + begin);
    return;
  }
  for (std::size_t c = 0; c < count; ++c) {
    float* to = columns.exact + (begin + c) * columns.stride;
    for (std::size_t i = 0; i < batch; ++i) to[i] = g[i * kPanel + c];
  }
}

// Compute the weight gradient of a group's features tile by tile, and update their weights.
void Trainer::learn(const StepContext& context, Layer& layer, Operand& x, const Columns& columns) {
  if (x.bits != nullptr && options_.max_gradient != 0 && x.transposed == nullptr) {
    // No input gradient comes in to the last layer, so that its memory is free there.
    Buffer& memory = layer.last ? input_gradient_ : transposed_;
    std::uint8_t* out = memory.get<std::uint8_t>(panels_for(x.columns) * kPanel *
                                                 bytes_for(context.batch()));
    transpose(context.team(), x.bits, context.batch(), x.columns, out);
    x.transposed = out;
  }
  const std::size_t width = padded(x.columns), panels = width / kPanel;
  const int threads =
      worth_starting(columns.count * width * context.batch(), kBitsMultiplied, options_.threads);
  const std::size_t share =
      round_up((columns.count + static_cast<std::size_t>(threads) - 1) /
                   static_cast<std::size_t>(threads), kRowUnit);
  const std::size_t max_rows =
      std::max(kLeastTileRows, kTileBytes / (width * 4) / kRowUnit * kRowUnit);
  const Draw draw = context.draw(layer.index, kUpdate);
  const optimizers::Gradient::Type type = gradient_type(context, x, columns);
  const std::size_t row_bytes = width * (type == optimizers::Gradient::Type::narrow ? 2 : 4);
  const auto tile_at = [&](std::uint8_t* data) {
    return Output{data, type != optimizers::Gradient::Type::narrow, width, kPanel};
  };
  const auto update = [&](const std::uint8_t* gradient, std::size_t row, std::size_t count) {
    const float* factors = columns.factors == nullptr ? nullptr : columns.factors + row;
    layer.learner->update(context.set, {gradient, type, factors}, columns.first + row, count,
                          context.step.rate, draw);
  };
  if (x.bits == nullptr && threads > 1 && share < max_rows) {
    // Too few features for a tile per thread. What is prepared of the pixels, a panel at a time,
    // serves all of them, so that the threads divide the panels.
    const std::size_t rows = std::min(round_up(columns.count, kRowUnit), max_rows);
    auto* tile = tiles_.get<std::uint8_t>(rows * row_bytes);
    for (std::size_t row = 0; row < columns.count; row += rows) {
      const std::size_t count = std::min(rows, columns.count - row);
      for_each_part(panels, 1, threads, [&](std::size_t begin, std::size_t end) {
        weight_gradient(context, x, columns, row, {0, count, begin, end}, tile_at(tile));
      });
      enter(Phase::kOptimizer);
      for_each_part(count, kRowUnit, threads, [&](std::size_t begin, std::size_t end) {
        update(tile + begin * row_bytes, row + begin, end - begin);
      });
      enter(Phase::kBackward);
    }
    return;
  }
  const std::size_t rows = std::min(share, max_rows);
  auto* tiles = tiles_.get<std::uint8_t>(static_cast<std::size_t>(threads) * rows * row_bytes);
  std::vector<Seconds> updating(static_cast<std::size_t>(threads), Seconds{});
  for_each((columns.count + rows - 1) / rows, threads, [&](std::size_t number, std::size_t thread) {
    std::uint8_t* tile = tiles + thread * rows * row_bytes;
    const std::size_t row = number * rows, count = std::min(rows, columns.count - row);
    weight_gradient(context, x, columns, row, {0, count, 0, panels}, tile_at(tile));
    const auto begin = std::chrono::steady_clock::now();
    update(tile, row, count);
    updating[thread] += std::chrono::steady_clock::now() - begin;
  });
  // The two alternate within every thread: each phase gets its share of their time.
  const double share_of_updates =
      std::accumulate(updating.begin(), updating.end(), Seconds{}).count() / threads;
  clock_.move(share_of_updates, Phase::kBackward, Phase::kOptimizer);
}

// What a layer's weight gradient is made of.
optimizers::Gradient::Type Trainer::gradient_type(const StepContext& context, const Operand& x,
                                                  const Columns& columns) const {
  using Type = optimizers::Gradient::Type;
  if (columns.exact != nullptr) return Type::real;
  const std::size_t batch = context.batch();
  const bool narrow =
      x.bits == nullptr ? pixels::fits_int16(batch, options_.max_gradient)
                        : batch * static_cast<std::size_t>(options_.max_gradient) <=
                              products::kMaxBitsNarrow;
  return narrow ? Type::narrow : Type::wide;
}

// A range of a tile, (rows, columns of x padded), whose first row is feature `row` of the group, on
// one thread.
void Trainer::weight_gradient(const StepContext& context, const Operand& x, const Columns& columns,
                              std::size_t row, Range range, Output tile) const {
  const std::size_t batch = context.batch();
  const InstructionSet& set = context.set;
  if (columns.exact != nullptr) {
    const float* g = columns.exact + row * columns.stride;
    if (x.bits == nullptr) {
      set.float_products->floats_by_pixels(g, columns.stride, x.pixels, batch, tile, range);
    } else {
      set.float_products->floats_by_bits(g, columns.stride, x.bits, bytes_for(x.columns), batch,
                                         tile, range);
    }
    return;
  }
  const std::int8_t* g = columns.rounded + row * columns.stride;
  if (x.bits == nullptr) {
    set.pixels->ints_by_pixels(g, columns.stride, options_.max_gradient, x.pixels, batch, tile,
                               range);
  } else {
    gradients_by_bits(set, {g, columns.stride, options_.max_gradient}, batch,
                      {x.transposed, bytes_for(batch)}, tile, range);
  }
}

// What gives g Wb, with this step's bits, by panels of input features.
Trainer::Incoming Trainer::input_gradient(const StepContext& context, Layer& layer, const float* g) {
  const std::size_t batch = context.batch(), stride = layer.panels * kPanel;
  const std::size_t panels = panels_for(layer.inputs);
  const std::uint8_t* bits = layer.rows.content<std::uint8_t>();
  if (options_.max_gradient == 0) {
    float* rows = rows_.get<float>(batch * stride);
    for (std::size_t p = 0; p < layer.panels; ++p) {
      for (std::size_t i = 0; i < batch; ++i) {
        std::copy_n(g + (p * batch + i) * kPanel, kPanel, rows + i * stride + p * kPanel);
      }
    }
    for (std::size_t i = 0; i < batch; ++i) {
      float* row = rows + i * stride;
      float largest = kMaxSumGradient;
      for (std::size_t c = 0; c < stride; ++c) largest = std::max(largest, std::abs(row[c]));
      for (std::size_t c = 0; c < stride; ++c) row[c] *= kMaxSumGradient / largest;
    }
    float* out = input_gradient_.get<float>(panels * batch * kPanel);
    const Output output{out, true, kPanel, batch * kPanel};
    const int threads = worth_starting(batch * panels * kPanel * layer.outputs, kBitsMultiplied,
                                       options_.threads);
    divide(batch, panels, worth_dividing_rows(batch, panels, threads), threads, [&](Range range) {
      context.set.float_products->floats_by_bits(rows, stride, bits, bytes_for(layer.inputs),
                                                 layer.outputs, output, range);
    });
    return {out, nullptr, nullptr, nullptr, 0};
  }
  std::int8_t* rounded = rows_.get<std::int8_t>(batch * stride);
  float* factors = row_factors_.get<float>(batch);
  round_rows(context.team(), g, batch, layer.outputs, options_.max_gradient,
             context.draw(layer.index, kRows), rounded, factors);
  const float limit = kMaxSumGradient / static_cast<float>(options_.max_gradient);
  for (std::size_t i = 0; i < batch; ++i) factors[i] = std::min(factors[i], limit);
  std::uint8_t* weights =
      weights_.get<std::uint8_t>(panels * bytes_for(layer.outputs) * kPanel);
  transpose(context.team(), bits, layer.outputs, layer.inputs, weights);
  return {nullptr, rounded, factors, weights, layer.outputs};
}

// Features of the last map lie as positions and channels; there, they lie as channels' panels.
MapGradient Trainer::map_gradient(const StepContext& context, const Incoming& incoming) {
  // Channels are multiples of this, so that so many features are of one position.
  constexpr std::size_t kUnit = 8;
  const convolution::Shape& shape = convolutions_.back().shape();
  const std::size_t batch = context.batch(), out = shape.out(), features = shape.features;
  const std::size_t panels = panels_for(out * features);
  const std::size_t part_size =
      std::max(std::size_t{2}, kGradientBytes / (batch * kPanel * sizeof(float)));
  const std::size_t number = convolutions_.size() % 2;
  float* factors = memory_.factors[number].get<float>(batch);
  std::copy_n(incoming.factors, batch, factors);
  char* to = nullptr;
  bool wide = false;
  for (std::size_t first = 0; first < panels; first += part_size) {
    const Panels part{first, std::min(panels, first + part_size)};
    const normalization::Gradient gradient = gradient_of(context, incoming, part);
    wide = gradient.type == normalization::Gradient::Type::wide;
    const std::size_t bytes = wide ? 4 : 2;
    to = memory_.gradients[number].get<char>(panels_for(features) * batch * out * kPanel * bytes);
    const auto* from = static_cast<const char*>(gradient.data);
    for (std::size_t p = part.first; p < part.last; ++p) {
      for (std::size_t i = 0; i < rows_in_panel(p, out * features); i += kUnit) {
        const std::size_t position = (p * kPanel + i) / features, n = (p * kPanel + i) % features;
        for (std::size_t image = 0; image < batch; ++image) {
          const std::size_t source = ((p - part.first) * batch + image) * kPanel + i;
          const std::size_t target =
              ((n / kPanel * batch + image) * out + position) * kPanel + n % kPanel;
          std::memcpy(to + target * bytes, from + source * bytes, kUnit * bytes);
        }
      }
    }
  }
  return {to, wide, factors};
}

void Trainer::update_normalization(const StepContext& context) {
  enter(Phase::kOptimizer);
  // Features that do not exist get no gradient.
  const auto clear = [](float* gradient, std::size_t panels, std::size_t features) {
    float* last = gradient + (panels - 1) * kPairSize;
    for (std::size_t i = rows_in_panel(panels - 1, features); i < kPanel; ++i) {
      last[i] = last[kPanel + i] = 0;
    }
  };
  for (const ConvolutionLayer& each : convolutions_) {
    clear(each.gradient(), each.panels(), each.shape().features);
  }
  for (const Layer& layer : layers_) clear(layer.gradient, layer.panels, layer.outputs);
  const std::size_t rows = normalization_gradient_.size() / kPanel;
  const float no_limit = __builtin_inff();
  context.set.optimizers->adam(
      {normalization_.parameters, normalization_.m, normalization_.v},
      {normalization_gradient_.data(), optimizers::Gradient::Type::real, nullptr},
      adam_step(options_.betas, context.step.rate, no_limit), kPanel, 0, rows);
}

// ---- memory --------------------------------------------------------------------------------

StepBytes Trainer::bytes() const {
  StepBytes bytes{0, tiles_.size(), 0,
                  gradient_.size() + columns_.size() + column_factors_.size() + rows_.size() +
                      row_factors_.size() + input_gradient_.size() + transposed_.size() +
                      weights_.size() + split_.size()};
  bytes.temporaries += memory_.size();
  for (const ConvolutionLayer& each : convolutions_) {
    bytes.weights += each.weight_bytes();
    bytes.saved += each.saved_bytes();
  }
  for (const Layer& layer : layers_) {
    bytes.weights += layer.rows.size() + layer.weight_panels.size();
    bytes.saved += layer.bits.size() + layer.sums.size() + layer.batch.size() * sizeof(float);
  }
  bytes.weights += normalization_gradient_.size() * sizeof(float);
  return bytes;
}

}  // namespace kernels
