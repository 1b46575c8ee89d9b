// Batch normalization over vectors of columns, for every instruction set.
#pragma once

#include "../normalization.hpp"

namespace kernels::normalization {
namespace {

constexpr std::size_t kGroups = kPanel / kLanes;
// So many rows of a panel, their gradients and the result are 16 KiB at most: they stay in the
// first-level cache while the four groups of columns pass over them, and rounding errors add up
// over no more rows than that before a double takes over.
constexpr std::size_t kBlock = 64;

// Sums of at most kBlock rows and eight columns.
void sum_block(const std::int16_t* sums, std::size_t rows, Doubles& total, Doubles& square) {
  // A square has up to 30 bits: its halves add up by themselves, in 32 bits.
  Ints sum = {}, low = {}, high = {};
  for (std::size_t b = 0; b < rows; ++b) {
    const Ints s = read_ints(sums + b * kPanel);
    const Ints squared = s * s;
    sum += s;
    low += squared & 0xFFFF;
    high += squared >> 16;
  }
  total += __builtin_convertvector(sum, Doubles);
  square += __builtin_convertvector(high, Doubles) * 65536.0 + __builtin_convertvector(low, Doubles);
}

void sum_block(const std::int32_t* sums, std::size_t rows, Doubles& total, Doubles& square) {
  for (std::size_t b = 0; b < rows; ++b) {
    const Doubles s = __builtin_convertvector(read_ints(sums + b * kPanel), Doubles);
    total += s;
    square += s * s;
  }
}

template <typename T>
void sum_up(const T* sums, std::size_t rows, double* totals, double* squares) {
  for (std::size_t begin = 0; begin < rows; begin += kBlock) {
    const std::size_t count = rows - begin < kBlock ? rows - begin : kBlock;
    for (std::size_t w = 0; w < kGroups; ++w) {
      Doubles total = read<Doubles>(totals + w * kLanes), square = read<Doubles>(squares + w * kLanes);
      sum_block(sums + begin * kPanel + w * kLanes, count, total, square);
      store(totals + w * kLanes, total);
      store(squares + w * kLanes, square);
    }
  }
}

void statistics(Panel panel, double* sums, double* squares) {
  for (std::size_t i = 0; i < kPanel; ++i) sums[i] = squares[i] = 0;
  if (panel.wide) {
    sum_up(static_cast<const std::int32_t*>(panel.sums), panel.rows, sums, squares);
  } else {
    sum_up(static_cast<const std::int16_t*>(panel.sums), panel.rows, sums, squares);
  }
}

template <typename T>
void binarize_rows(const T* sums, std::size_t begin, std::size_t end, Affine affine,
                   std::size_t valid, const Draw* draw, std::size_t panel_index,
                   std::uint8_t* bits, std::size_t stride, std::size_t width) {
  const std::uint32_t kept = valid < kPanel ? (1U << valid) - 1 : ~0U;
  for (std::size_t pair = begin / 2; pair * 2 < end; ++pair) {
    const PairOfRows random(draw != nullptr ? PairOfRows(*draw, pair, panel_index) : PairOfRows());
    for (std::size_t b = pair * 2; b < pair * 2 + 2 && b < end; ++b) {
      std::uint32_t word = 0;
      for (std::size_t w = 0; w < kGroups; ++w) {
        Floats a = read_floats(sums + b * kPanel + w * kLanes) * read<Floats>(affine.scale + w * kLanes) +
               read<Floats>(affine.shift + w * kLanes);
        if (draw != nullptr) a += random.uniform(b % 2, w) * all(2.0F) - all(1.0F);
        word |= at_least(a, all(0.0F)) << (w * kLanes);
      }
      put_bits(bits + b * stride, word & kept, 8 * width);
    }
  }
}

void binarize(Panel panel, std::size_t begin, std::size_t end, Affine affine, std::size_t valid,
              const Draw* draw, std::size_t panel_index, std::uint8_t* bits, std::size_t stride,
              std::size_t width) {
  if (panel.wide) {
    binarize_rows(static_cast<const std::int32_t*>(panel.sums), begin, end, affine, valid, draw,
                  panel_index, bits, stride, width);
  } else {
    binarize_rows(static_cast<const std::int16_t*>(panel.sums), begin, end, affine, valid, draw,
                  panel_index, bits, stride, width);
  }
}

// What a group of columns has of its batch.
struct Columns {
  Floats scale, shift, mean, inverse;

  Columns(Batch batch, std::size_t w)
      : scale(read<Floats>(batch.affine.scale + w * kLanes)),
        shift(read<Floats>(batch.affine.shift + w * kLanes)),
        mean(read<Floats>(batch.mean + w * kLanes)),
        inverse(read<Floats>(batch.inverse + w * kLanes)) {}

  Floats normalized(Floats s) const { return (s - mean) * inverse; }
};

// The gradient of a panel's activations, of any type of number.
template <typename G>
struct Incoming {
  const G* data;
  const float* factor;
  Floats limit;

  Incoming(Gradient gradient, bool masked)
      : data(static_cast<const G*>(gradient.data)),
        factor(gradient.factor),
        // Without the mask everything passes.
        limit(all(masked ? 1.0F : __builtin_inff())) {}

  // Of row b, at so many numbers from the first, where the sum is s.
  Floats through_mask(std::size_t b, std::size_t at, Floats s, const Columns& columns) const {
    Floats g = read_floats(data + at);
    if (factor != nullptr) g *= all(factor[b]);
    return where(absolute(s * columns.scale + columns.shift) <= limit, g, all(0.0F));
  }
};

// The gradient of a, masked, to out, unless that is null; its sum and that of its product with x
// are added to totals.
template <typename T, typename G>
void through_activation(const T* sums, Incoming<G> incoming, std::size_t rows, Batch batch,
                        float* out, double* totals) {
  // An addition waits for the one before it: two groups of columns keep the processor busy.
  constexpr std::size_t kTogether = 2;
  for (std::size_t begin = 0; begin < rows; begin += kBlock) {
    const std::size_t end = rows - begin < kBlock ? rows : begin + kBlock;
    for (std::size_t w = 0; w < kGroups; w += kTogether) {
      const Columns columns[kTogether] = {{batch, w}, {batch, w + 1}};
      Floats total[kTogether] = {}, product[kTogether] = {};
      for (std::size_t b = begin; b < end; ++b) {
        for (std::size_t i = 0; i < kTogether; ++i) {
          const std::size_t at = b * kPanel + (w + i) * kLanes;
          const Floats s = read_floats(sums + at);
          const Floats g = incoming.through_mask(b, at, s, columns[i]);
          total[i] += g;
          product[i] += g * columns[i].normalized(s);
          if (out != nullptr) store(out + at, g);
        }
      }
      for (std::size_t i = 0; i < kTogether; ++i) {
        double* of_gradient = totals + (w + i) * kLanes;
        double* of_product = of_gradient + kPanel;
        store(of_gradient, read<Doubles>(of_gradient) + to_double(total[i]));
        store(of_product, read<Doubles>(of_product) + to_double(product[i]));
      }
    }
  }
}

// What a column's gradients have in common, which normalization takes away.
struct Means {
  float gradient[kPanel], product[kPanel];

  Means(const double* totals, std::size_t count) {
    for (std::size_t i = 0; i < kPanel; ++i) {
      gradient[i] = static_cast<float>(totals[i] / static_cast<double>(count));
      product[i] = static_cast<float>(totals[kPanel + i] / static_cast<double>(count));
    }
  }
};

// The gradient of s, to out. `of_activation(b, at, s, columns)` is that of a, masked.
template <typename T, typename F>
void through_normalization(const T* sums, std::size_t rows, Batch batch, const Means& means,
                           F of_activation, float* out) {
  for (std::size_t begin = 0; begin < rows; begin += kBlock) {
    const std::size_t end = rows - begin < kBlock ? rows : begin + kBlock;
    for (std::size_t w = 0; w < kGroups; ++w) {
      const Columns columns(batch, w);
      const Floats of_gradient = read<Floats>(means.gradient + w * kLanes);
      const Floats of_product = read<Floats>(means.product + w * kLanes);
      for (std::size_t b = begin; b < end; ++b) {
        const std::size_t at = b * kPanel + w * kLanes;
        const Floats s = read_floats(sums + at);
        const Floats g = of_activation(b, at, s, columns);
        const Floats x = columns.normalized(s);
        store(out + at, columns.scale * (g - of_gradient - x * of_product));
      }
    }
  }
}

// Call f with the sums as what they are.
template <typename F>
void with_sums(Panel panel, F f) {
  if (panel.wide) {
    f(static_cast<const std::int32_t*>(panel.sums));
  } else {
    f(static_cast<const std::int16_t*>(panel.sums));
  }
}

// Call f with the sums and the gradient as what they are.
template <typename F>
void with_both(Panel panel, Gradient gradient, bool masked, F f) {
  with_sums(panel, [&](const auto* sums) {
    if (gradient.type == Gradient::Type::narrow) {
      f(sums, Incoming<std::int16_t>(gradient, masked));
    } else if (gradient.type == Gradient::Type::wide) {
      f(sums, Incoming<std::int32_t>(gradient, masked));
    } else {
      f(sums, Incoming<float>(gradient, masked));
    }
  });
}

void activation_totals(Panel panel, Batch batch, Gradient gradient, bool masked, double* totals) {
  with_both(panel, gradient, masked, [&](const auto* sums, auto incoming) {
    through_activation(sums, incoming, panel.rows, batch, nullptr, totals);
  });
}

void sum_gradient(Panel panel, Batch batch, Gradient gradient, bool masked, const double* totals,
                  std::size_t count, float* out) {
  const Means means(totals, count);
  with_both(panel, gradient, masked, [&](const auto* sums, auto incoming) {
    const auto of_activation = [&](std::size_t b, std::size_t at, Floats s,
                                   const Columns& columns) {
      return incoming.through_mask(b, at, s, columns);
    };
    through_normalization(sums, panel.rows, batch, means, of_activation, out);
  });
}

void backward(Panel panel, Batch batch, Gradient gradient, bool masked, float* out,
              float* gain_gradient, float* bias_gradient) {
  double totals[2 * kPanel] = {};
  with_both(panel, gradient, masked, [&](const auto* sums, auto incoming) {
    through_activation(sums, incoming, panel.rows, batch, out, totals);
    const auto of_activation = [&](std::size_t, std::size_t at, Floats, const Columns&) {
      return read<Floats>(out + at);
    };
    through_normalization(sums, panel.rows, batch, Means(totals, panel.rows), of_activation, out);
  });
  for (std::size_t i = 0; i < kPanel; ++i) {
    bias_gradient[i] = static_cast<float>(totals[i]);
    gain_gradient[i] = static_cast<float>(totals[kPanel + i]);
  }
}

}  // namespace
}  // namespace kernels::normalization
