// What a step consists of, each divided among threads: products, normalization, rounding, the loss.
//
// Arguments are those of the kernels that they call, and are not checked here. Results do not
// depend on the number of threads.
#pragma once

#include <cstdint>

#include "dispatch.hpp"

namespace kernels {

// Which kernels to use, and how many threads they may start.
struct Team {
  const InstructionSet& set;
  int threads;
};

// Sums, int16 or int32: (panels, rows, 32).
struct Sums {
  void* data;
  bool wide;
  std::size_t panels, rows;

  std::size_t bytes_of_panel() const { return rows * kPanel * (wide ? 4 : 2); }
  void* panel(std::size_t p) const { return static_cast<char*>(data) + p * bytes_of_panel(); }
  Output output() const { return {data, wide, kPanel, rows * kPanel}; }
};

// What a batch's normalization is, of 32 columns: (panels, 5, 32) float32.
enum BatchRow : std::size_t { kMean, kVariance, kInverse, kScale, kShift, kBatchRows };
inline constexpr std::size_t kBatchSize = kBatchRows * kPanel;
// Gain and bias, or what else comes in two of 32 columns: (panels, 2, 32).
inline constexpr std::size_t kPairSize = 2 * kPanel;

normalization::Batch batch_of(const float* panel);

// Rounded gradients: (rows, stride) int8 of absolute value at most `max`.
struct Rounded {
  const std::int8_t* data;
  std::size_t stride;
  int max;
};

// ---- bits ------------------------------------------------------------------------------------

void interleave(Team team, const std::uint8_t* rows, std::size_t count, std::size_t bytes,
                std::uint8_t* panels);
void transpose(Team team, const std::uint8_t* rows, std::size_t count, std::size_t columns,
               std::uint8_t* panels);

// ---- products --------------------------------------------------------------------------------

void bits_by_bits(Team team, const std::uint8_t* a, std::size_t elements,
                  products::PanelOperand b, Sums out);
// What `pixels_by_bits` needs to lay out b.
std::size_t bytes_of_groups(const InstructionSet& set, products::PanelOperand b,
                            std::size_t panels);
// split: memory for so many bytes, which begins at a multiple of 64.
void pixels_by_bits(Team team, IntRows x, std::size_t elements, products::PanelOperand b,
                    std::uint8_t* split, Output out, std::size_t rows, std::size_t panels);
void gradients_by_bits(Team team, Rounded a, std::size_t elements, products::PanelOperand b,
                       Output out, std::size_t rows, std::size_t panels);
// On one thread, a part of the same.
void gradients_by_bits(const InstructionSet& set, Rounded a, std::size_t elements,
                       products::PanelOperand b, Output out, products::Range range);

// ---- normalization and binarization ------------------------------------------------------------

// A panel of a batch's normalization from the exact sums of `rows` rows, and of their squares.
// parameters: its gain and bias. out: (5, 32).
void batch_row(const double* sums, const double* squares, std::size_t rows,
               const float* parameters, double epsilon, float* out);
void batch_statistics(Team team, Sums s, const float* parameters, double epsilon, float* batch);
// first_panel: of s, in a layer of `columns` columns, whose bits are out, (rows, bytes).
void binarize(Team team, Sums s, const float* batch, std::size_t first_panel, std::size_t columns,
              const Draw* draw, std::uint8_t* out);
// Panel p of s and of what else comes in panels, on one thread. out: (rows, 32).
void normalize_backward(const InstructionSet& set, Sums s, std::size_t p, const float* batch,
                        normalization::Gradient gradient, bool masked, float* out,
                        float* parameter_gradient);
// out: (panels, rows, 32). parameter_gradient: (panels, 2, 32).
void normalize_backward(Team team, Sums s, const float* batch, normalization::Gradient gradient,
                        bool masked, float* out, float* parameter_gradient);

// ---- rounding and the loss ---------------------------------------------------------------------

// A panel of (rows, 32) on one thread, of which `valid` columns count. panel: its number, for the
// random numbers. out: (valid, stride), stride the rows padded to a multiple of 32. factors: (32).
void round_columns(const InstructionSet& set, const float* g, std::size_t rows, std::size_t valid,
                   int max, Draw draw, std::size_t panel, std::int8_t* out, float* factors);
// g: (panels, rows, 32). out: (columns, stride). factors: (panels, 32).
void round_columns(Team team, const float* g, std::size_t rows, std::size_t columns, int max,
                   Draw draw, std::size_t first_panel, std::int8_t* out, float* factors);
// out: (rows, 32 panels). factors: (rows).
void round_rows(Team team, const float* g, std::size_t rows, std::size_t columns, int max,
                Draw draw, std::int8_t* out, float* factors);
void softmax_gradient(Team team, Sums s, const float* batch, const std::uint8_t* labels,
                      std::size_t classes, float smoothing, float* out);

}  // namespace kernels
