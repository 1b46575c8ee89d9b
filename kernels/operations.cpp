#include "operations.hpp"

#include <algorithm>
#include <cmath>

#include "loss.hpp"
#include "parallel.hpp"

namespace kernels {

using pixels::kPanelsOfBlock;
using products::Range;

namespace {

int worth_normalizing(Team team, std::size_t panels, std::size_t rows) {
  return worth_starting(panels * rows * kPanel, kSumsNormalized, team.threads);
}

template <typename Work>
void divide_product(Team team, std::size_t rows, std::size_t panels, std::size_t elements,
                    Work work) {
  const int threads =
      worth_starting(rows * panels * kPanel * elements, kBitsMultiplied, team.threads);
  divide(rows, panels, worth_dividing_rows(rows, panels, threads), threads, work);
}

}  // namespace

normalization::Batch batch_of(const float* panel) {
  return {{panel + kScale * kPanel, panel + kShift * kPanel},
          panel + kMean * kPanel,
          panel + kInverse * kPanel};
}

void interleave(Team team, const std::uint8_t* rows, std::size_t count, std::size_t bytes,
                std::uint8_t* panels) {
  const int threads = worth_starting(count * bytes * 8, kBitsMoved, team.threads);
  for_each(panels_for(count), threads, [&](std::size_t p) {
    team.set.packing->interleave_panel(rows + p * kPanel * bytes, rows_in_panel(p, count), bytes,
                                       panels + p * bytes * kPanel);
  });
}

void transpose(Team team, const std::uint8_t* rows, std::size_t count, std::size_t columns,
               std::uint8_t* panels) {
  const int threads = worth_starting(count * columns, kBitsMoved, team.threads);
  for_each(panels_for(columns), threads, [&](std::size_t p) {
    team.set.packing->transpose_panel(rows, count, columns, p,
                                      panels + p * bytes_for(count) * kPanel);
  });
}

void bits_by_bits(Team team, const std::uint8_t* a, std::size_t elements,
                  products::PanelOperand b, Sums out) {
  divide_product(team, out.rows, out.panels, elements, [&](Range range) {
    team.set.products->bits_by_bits(a, elements, b, out.output(), range);
  });
}

std::size_t bytes_of_groups(const InstructionSet& set, products::PanelOperand b,
                            std::size_t panels) {
  const pixels::Grouping grouping = pixels::grouping_for(*set.pixels, panels);
  return pixels::group_bytes(panels, pixels::groups_for(grouping, b.bytes));
}

void pixels_by_bits(Team team, IntRows x, std::size_t elements, products::PanelOperand b,
                    std::uint8_t* split, Output out, std::size_t rows, std::size_t panels) {
  const std::size_t blocks = pixels::blocks_for(panels);
  const pixels::Grouping grouping = pixels::grouping_for(*team.set.pixels, panels);
  const std::size_t groups = pixels::groups_for(grouping, b.bytes);
  const int threads =
      worth_starting(rows * panels * kPanel * elements, kBitsMultiplied, team.threads);
  for_each(blocks, threads, [&](std::size_t block) {
    pixels::split_groups(grouping, b, panels, block, split);
  });
  divide(rows, blocks, worth_dividing_rows(rows, blocks, threads), threads, [&](Range range) {
    range.panel_begin *= kPanelsOfBlock;
    range.panel_end = std::min(panels, range.panel_end * kPanelsOfBlock);
    team.set.pixels->pixels_by_bits(x, elements, {split, grouping, groups}, out, range);
  });
}

void gradients_by_bits(const InstructionSet& set, Rounded a, std::size_t elements,
                       products::PanelOperand b, Output out, Range range) {
  const auto multiply = [&](Form form, int weight, bool add) {
    const IntRows rows{reinterpret_cast<const std::uint8_t*>(a.data), a.stride, nullptr, form};
    set.products->ints_by_bits({rows, elements, b, weight, add, out, range});
  };
  if (a.max <= 7) {
    multiply(Form::small, 1, false);
  } else {
    multiply(Form::low, 1, false);
    multiply(Form::high, 16, true);
  }
}

void gradients_by_bits(Team team, Rounded a, std::size_t elements, products::PanelOperand b,
                       Output out, std::size_t rows, std::size_t panels) {
  divide_product(team, rows, panels, elements, [&](Range range) {
    gradients_by_bits(team.set, a, elements, b, out, range);
  });
}

void batch_row(const double* sums, const double* squares, std::size_t rows,
               const float* parameters, double epsilon, float* out) {
  const float* gain = parameters;
  const float* bias = gain + kPanel;
  const auto count = static_cast<double>(rows);
  for (std::size_t i = 0; i < kPanel; ++i) {
    const double mean = sums[i] / count;
    const double variance = std::max(0.0, (squares[i] - sums[i] * mean) / count);
    const double inverse = 1.0 / std::sqrt(variance + epsilon);
    const double scale = gain[i] * inverse;
    out[kMean * kPanel + i] = static_cast<float>(mean);
    out[kVariance * kPanel + i] = static_cast<float>(variance);
    out[kInverse * kPanel + i] = static_cast<float>(inverse);
    out[kScale * kPanel + i] = static_cast<float>(scale);
    out[kShift * kPanel + i] = static_cast<float>(bias[i] - mean * scale);
  }
}

void batch_statistics(Team team, Sums s, const float* parameters, double epsilon, float* batch) {
  for_each(s.panels, worth_normalizing(team, s.panels, s.rows), [&](std::size_t p) {
    double sums[kPanel], squares[kPanel];
    team.set.normalization->statistics({s.panel(p), s.wide, s.rows}, sums, squares);
    batch_row(sums, squares, s.rows, parameters + p * kPairSize, epsilon, batch + p * kBatchSize);
  });
}

void binarize(Team team, Sums s, const float* batch, std::size_t first_panel, std::size_t columns,
              const Draw* draw, std::uint8_t* out) {
  const std::size_t bytes = bytes_for(columns);
  // By rows: neighbouring panels' bits share a cache line, which two threads would fight over.
  for_each_part(s.rows, 2, worth_normalizing(team, s.panels, s.rows),
                [&](std::size_t begin, std::size_t end) {
    for (std::size_t p = 0; p < s.panels; ++p) {
      const std::size_t panel = first_panel + p, valid = rows_in_panel(panel, columns);
      team.set.normalization->binarize({s.panel(p), s.wide, s.rows}, begin, end,
                                       batch_of(batch + p * kBatchSize).affine, valid, draw, panel,
                                       out + panel * kPanel / 8, bytes, bytes_for(valid));
    }
  });
}

void normalize_backward(const InstructionSet& set, Sums s, std::size_t p, const float* batch,
                        normalization::Gradient gradient, bool masked, float* out,
                        float* parameter_gradient) {
  using Type = normalization::Gradient::Type;
  const std::size_t bytes = s.rows * kPanel * (gradient.type == Type::narrow ? 2 : 4);
  const normalization::Gradient part{
      gradient.type, static_cast<const char*>(gradient.data) + p * bytes, gradient.factor};
  float* of_parameters = parameter_gradient + p * kPairSize;
  set.normalization->backward({s.panel(p), s.wide, s.rows}, batch_of(batch + p * kBatchSize), part,
                              masked, out, of_parameters, of_parameters + kPanel);
}

void normalize_backward(Team team, Sums s, const float* batch, normalization::Gradient gradient,
                        bool masked, float* out, float* parameter_gradient) {
  for_each(s.panels, worth_normalizing(team, s.panels, s.rows), [&](std::size_t p) {
    normalize_backward(team.set, s, p, batch, gradient, masked, out + p * s.rows * kPanel,
                       parameter_gradient);
  });
}

void round_columns(const InstructionSet& set, const float* g, std::size_t rows, std::size_t valid,
                   int max, Draw draw, std::size_t panel, std::int8_t* out, float* factors) {
  set.rounding->column_factors(g, rows, max, factors);
  set.rounding->round_columns(g, rows, factors, draw, panel, valid, out,
                              panels_for(rows) * kPanel);
}

void round_columns(Team team, const float* g, std::size_t rows, std::size_t columns, int max,
                   Draw draw, std::size_t first_panel, std::int8_t* out, float* factors) {
  const std::size_t panels = panels_for(columns), stride = panels_for(rows) * kPanel;
  for_each(panels, worth_normalizing(team, panels, rows), [&](std::size_t p) {
    round_columns(team.set, g + p * rows * kPanel, rows, rows_in_panel(p, columns), max, draw,
                  first_panel + p, out + p * kPanel * stride, factors + p * kPanel);
  });
}

void round_rows(Team team, const float* g, std::size_t rows, std::size_t columns, int max,
                Draw draw, std::int8_t* out, float* factors) {
  const std::size_t panels = panels_for(columns);
  for_each_part(rows, 2, worth_normalizing(team, panels, rows),
                [&](std::size_t begin, std::size_t end) {
    team.set.rounding->round_rows(g, rows, columns, begin, end, max, draw, out, panels * kPanel,
                                  factors);
  });
}

void softmax_gradient(Team team, Sums s, const float* batch, const std::uint8_t* labels,
                      std::size_t classes, float smoothing, float* out) {
  const loss::Scores scores{s.data, s.wide, s.rows, classes, batch_of(batch).affine, kBatchSize};
  const int threads = worth_starting(s.rows * classes, kScoresMade, team.threads);
  for_each_part(s.rows, 1, threads, [&](std::size_t begin, std::size_t end) {
    loss::softmax_gradient(scores, labels, smoothing, begin, end, out);
  });
}

}  // namespace kernels
