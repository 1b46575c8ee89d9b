// Optimizer steps over vectors of weights, for every instruction set.
#pragma once

#include "../byte_weights.hpp"
#include "../optimizers.hpp"

namespace kernels::optimizers {
namespace {

constexpr std::size_t kGroups = kPanel / kLanes;

Floats gradient_at(Gradient gradient, std::size_t at, float factor) {
  using Type = Gradient::Type;
  const auto read_as = [&]<typename T>() {
    return read_floats(static_cast<const T*>(gradient.data) + at) * all(factor);
  };
  if (gradient.type == Type::real) return read_as.template operator()<float>();
  if (gradient.type == Type::wide) return read_as.template operator()<std::int32_t>();
  return read_as.template operator()<std::int16_t>();
}

float factor_of(Gradient gradient, std::size_t row) {
  return gradient.factor == nullptr ? 1.0F : gradient.factor[row];
}

void adam(State state, Gradient gradient, Adam adam, std::size_t columns, std::size_t begin,
          std::size_t end) {
  const Floats beta1 = all(adam.beta1), rest1 = all(adam.rest1), beta2 = all(adam.beta2),
               rest2 = all(adam.rest2), epsilon = all(adam.epsilon),
               step_size = all(adam.step_size), correction = all(adam.correction),
               limit = all(adam.limit);
  for (std::size_t row = begin; row < end; ++row) {
    const float factor = factor_of(gradient, row);
    for (std::size_t at = row * columns; at < (row + 1) * columns; at += kLanes) {
      const Floats g = gradient_at(gradient, at, factor);
      const Floats m = beta1 * read<Floats>(state.m + at) + rest1 * g;
      const Floats v = beta2 * read<Floats>(state.v + at) + rest2 * g * g;
      const Floats size = square_root(v) * correction + epsilon;
      const Floats w = read<Floats>(state.weights + at) - step_size * m / size;
      store(state.weights + at, limited(w, limit));
      store(state.m + at, m);
      store(state.v + at, v);
    }
  }
}

// Latent weights of a byte, in units of 1/127: a change is cut to 1/256 of a unit, and rounded
// stochastically.
struct ByteWeights {
  using Weight = std::int8_t;
  static constexpr bool kDraws = true;
  static constexpr float kChangeUnits = kMaxByte * static_cast<float>(1 << kFractionBits);

  static void move(std::int8_t* weights, const Ints (&change)[kGroups], const RandomBytes& random,
                   std::size_t row) {
    move_bytes(weights, change, random, row);
  }
};

// Latent weights of two bytes, in units of 1/32767: a change is cut to whole units.
struct WordWeights {
  using Weight = std::int16_t;
  static constexpr bool kDraws = false;
  static constexpr std::int32_t kMaxWord = 32767;
  static constexpr float kChangeUnits = kMaxWord;

  static void move(std::int16_t* weights, const Ints (&change)[kGroups], const RandomBytes&,
                   std::size_t) {
    const Ints most = Ints{} + kMaxWord;
    for (std::size_t w = 0; w < kGroups; ++w) {
      std::int16_t* at = weights + w * kLanes;
      const Ints sum = read_ints(at) - change[w];
      const Ints below = sum < most ? sum : most;
      store_int16(at, below > -most ? below : -most);
    }
  }
};

// Random numbers are made for so many panels at once, which fit the first-level cache.
constexpr std::size_t kPanelsOfChunk = 32;

// Units of a change per unit of the gradient, before its factor.
float units_per(RowProp step, float units, float mean_square, float factor) {
  const float deviation = __builtin_sqrtf(mean_square);
  if (!(deviation > 0)) return 0;
  return step.rate * units * step.correction / deviation * factor;
}

// Panels [first, last) of a row. A lane's sum of squares is of its columns alone, in their order: the
// same for any width of a register.
template <typename Form, typename Number>
void rowprop_row(typename Form::Weight* latent, const Number* gradient, float units,
                 std::size_t columns, std::size_t first, std::size_t last,
                 const RandomBytes* random, std::size_t row, Floats (&sums)[kGroups]) {
  // A change of more would not fit 16 bits, and crosses half of the range anyway.
  const Floats scale = all(units), limit = all(Form::kChangeUnits);
  // A copy: for all that the compiler knows, a store of bytes changes what is passed.
  Floats squares[kGroups];
  for (std::size_t w = 0; w < kGroups; ++w) squares[w] = sums[w];
  Ints lanes;
  for (std::size_t i = 0; i < kLanes; ++i) lanes[i] = static_cast<std::int32_t>(i);
  for (std::size_t panel = first; panel < last; ++panel) {
    Floats g[kGroups];
    Ints change[kGroups];
#pragma GCC unroll 8
    for (std::size_t w = 0; w < kGroups; ++w) {
      g[w] = read_floats(gradient + panel * kPanel + w * kLanes);
      change[w] = to_int(limited(g[w] * scale, limit));
    }
    Form::move(latent + panel * kPanel, change, random[panel - first], row);
    const auto left = static_cast<std::int32_t>(columns - panel * kPanel);
#pragma GCC unroll 8
    for (std::size_t w = 0; w < kGroups; ++w) {
      Floats square = g[w] * g[w];
      if (left < static_cast<std::int32_t>(kPanel)) {
        square = where(lanes + static_cast<std::int32_t>(w * kLanes) < left, square, all(0.0F));
      }
      squares[w] += square;
    }
  }
  for (std::size_t w = 0; w < kGroups; ++w) sums[w] = squares[w];
}

template <typename Form>
void rowprop_rows(void* latent, float* mean_square, Gradient gradient, RowProp step,
                  std::size_t padded, std::size_t begin, std::size_t end, Draw draw,
                  std::size_t first_row) {
  constexpr std::size_t kRows = RandomBytes::kRows;
  const std::size_t panels = padded / kPanel;
  for (std::size_t row = begin; row < end; row += kRows) {
    const std::size_t rows = end - row < kRows ? end - row : kRows;
    Floats squares[kRows][kGroups] = {};
    for (std::size_t first = 0; first < panels; first += kPanelsOfChunk) {
      const std::size_t last = panels - first < kPanelsOfChunk ? panels : first + kPanelsOfChunk;
      RandomBytes random[kPanelsOfChunk];
      for (std::size_t panel = first; Form::kDraws && panel < last; ++panel) {
        random[panel - first].draw(draw, (first_row + row) / kRows, panel);
      }
      for (std::size_t r = 0; r < rows; ++r) {
        const std::size_t at = (row + r) * padded;
        const float units = units_per(step, Form::kChangeUnits, mean_square[row + r],
                                      factor_of(gradient, row + r));
        auto* weights = static_cast<typename Form::Weight*>(latent) + at;
        const auto run = [&]<typename Number>() {
          rowprop_row<Form>(weights, static_cast<const Number*>(gradient.data) + at, units,
                            step.columns, first, last, random, r, squares[r]);
        };
        using Type = Gradient::Type;
        if (gradient.type == Type::real) run.template operator()<float>();
        if (gradient.type == Type::wide) run.template operator()<std::int32_t>();
        if (gradient.type == Type::narrow) run.template operator()<std::int16_t>();
      }
    }
    for (std::size_t r = 0; r < rows; ++r) {
      double sum = 0;
      for (std::size_t i = 0; i < kPanel; ++i) sum += squares[r][i / kLanes][i % kLanes];
      const double factor = factor_of(gradient, row + r);
      const double mean = sum / static_cast<double>(step.columns) * factor * factor;
      const double old = mean_square[row + r];
      mean_square[row + r] = static_cast<float>(old + (1.0 - step.beta) * (mean - old));
    }
  }
}

void rowprop(LatentWeights latent, float* mean_square, Gradient gradient, RowProp step,
             std::size_t padded, std::size_t begin, std::size_t end, Draw draw,
             std::size_t first_row) {
  const auto rows = latent.bits == 8 ? rowprop_rows<ByteWeights> : rowprop_rows<WordWeights>;
  rows(latent.data, mean_square, gradient, step, padded, begin, end, draw, first_row);
}

void bop(std::uint8_t* bits, float* m_at, Gradient gradient, Bop bop, std::size_t columns,
         std::size_t padded, std::size_t begin, std::size_t end) {
  // Columns whose bits are whole bytes: as many for any width of a register, so that m is the same
  // past the last column, too.
  constexpr std::size_t kStep = 16;
  const std::size_t bytes = bytes_for(columns);
  for (std::size_t row = begin; row < end; ++row) {
    std::uint8_t* of_row = bits + row * bytes;
    for (std::size_t column = 0; column < columns; column += kStep, of_row += kStep / 8) {
      unsigned down = 0, up = 0;
      for (std::size_t i = 0; i < kStep; i += kLanes) {
        const std::size_t at = row * padded + column + i;
        const Floats g = gradient_at(gradient, at, factor_of(gradient, row));
        const Floats m = all(1.0F - bop.adaptivity) * read<Floats>(m_at + at) + all(bop.adaptivity) * g;
        store(m_at + at, m);
        // Against a filtered gradient above the threshold the weight is -1, below its negative +1.
        down |= above(m, all(bop.threshold)) << i;
        up |= above(all(-bop.threshold), m) << i;
      }
      const std::size_t count = columns - column < kStep ? columns - column : kStep;
      put_bits(of_row, (get_bits(of_row, count) & ~down) | up, count);
    }
  }
}

}  // namespace
}  // namespace kernels::optimizers
