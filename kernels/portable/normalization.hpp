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

// The gradient of a, masked, to out; its sum and that of its product with x are added to totals.
template <typename T, typename G>
void through_activation(const T* sums, const G* gradient, const float* factor, std::size_t rows,
                        Batch batch, bool masked, float* out, double* totals) {
  for (std::size_t begin = 0; begin < rows; begin += kBlock) {
    const std::size_t end = rows - begin < kBlock ? rows : begin + kBlock;
    for (std::size_t w = 0; w < kGroups; ++w) {
      const Floats scale = read<Floats>(batch.affine.scale + w * kLanes);
      const Floats shift = read<Floats>(batch.affine.shift + w * kLanes);
      const Floats mean = read<Floats>(batch.mean + w * kLanes);
      const Floats inverse = read<Floats>(batch.inverse + w * kLanes);
      // Without the mask everything passes.
      const Floats limit = all(masked ? 1.0F : __builtin_inff());
      Floats total = all(0.0F), product = all(0.0F);
      for (std::size_t b = begin; b < end; ++b) {
        const std::size_t at = b * kPanel + w * kLanes;
        const Floats s = read_floats(sums + at);
        Floats g = read_floats(gradient + at);
        if (factor != nullptr) g *= all(factor[b]);
        g = where(absolute(s * scale + shift) <= limit, g, all(0.0F));
        total += g;
        product += g * ((s - mean) * inverse);
        store(out + at, g);
      }
      double* of_gradient = totals + w * kLanes;
      double* of_product = of_gradient + kPanel;
      store(of_gradient, read<Doubles>(of_gradient) + to_double(total));
      store(of_product, read<Doubles>(of_product) + to_double(product));
    }
  }
}

template <typename T>
void through_normalization(const T* sums, std::size_t rows, Batch batch, const double* totals,
                           std::size_t count, float* out) {
  float mean_gradient[kPanel], mean_product[kPanel];
  for (std::size_t i = 0; i < kPanel; ++i) {
    mean_gradient[i] = static_cast<float>(totals[i] / static_cast<double>(count));
    mean_product[i] = static_cast<float>(totals[kPanel + i] / static_cast<double>(count));
  }
  for (std::size_t begin = 0; begin < rows; begin += kBlock) {
    const std::size_t end = rows - begin < kBlock ? rows : begin + kBlock;
    for (std::size_t w = 0; w < kGroups; ++w) {
      const Floats scale = read<Floats>(batch.affine.scale + w * kLanes);
      const Floats mean = read<Floats>(batch.mean + w * kLanes);
      const Floats inverse = read<Floats>(batch.inverse + w * kLanes);
      const Floats of_gradient = read<Floats>(mean_gradient + w * kLanes);
      const Floats of_product = read<Floats>(mean_product + w * kLanes);
      for (std::size_t b = begin; b < end; ++b) {
        const std::size_t at = b * kPanel + w * kLanes;
        const Floats x = (read_floats(sums + at) - mean) * inverse;
        store(out + at, scale * (read<Floats>(out + at) - of_gradient - x * of_product));
      }
    }
  }
}

template <typename T>
void activation_gradient_of(const T* sums, std::size_t rows, Batch batch, Gradient gradient,
                            bool masked, float* out, double* totals) {
  if (gradient.type == Gradient::Type::narrow) {
    through_activation(sums, static_cast<const std::int16_t*>(gradient.data), gradient.factor, rows,
                       batch, masked, out, totals);
  } else if (gradient.type == Gradient::Type::wide) {
    through_activation(sums, static_cast<const std::int32_t*>(gradient.data), gradient.factor, rows,
                       batch, masked, out, totals);
  } else {
    through_activation(sums, static_cast<const float*>(gradient.data), gradient.factor, rows, batch,
                       masked, out, totals);
  }
}

void activation_gradient(Panel panel, Batch batch, Gradient gradient, bool masked, float* out,
                         double* totals) {
  if (panel.wide) {
    activation_gradient_of(static_cast<const std::int32_t*>(panel.sums), panel.rows, batch,
                           gradient, masked, out, totals);
  } else {
    activation_gradient_of(static_cast<const std::int16_t*>(panel.sums), panel.rows, batch,
                           gradient, masked, out, totals);
  }
}

void sum_gradient(Panel panel, Batch batch, const double* totals, std::size_t count, float* out) {
  if (panel.wide) {
    through_normalization(static_cast<const std::int32_t*>(panel.sums), panel.rows, batch, totals,
                          count, out);
  } else {
    through_normalization(static_cast<const std::int16_t*>(panel.sums), panel.rows, batch, totals,
                          count, out);
  }
}

void backward(Panel panel, Batch batch, Gradient gradient, bool masked, float* out,
              float* gain_gradient, float* bias_gradient) {
  double totals[2 * kPanel] = {};
  activation_gradient(panel, batch, gradient, masked, out, totals);
  sum_gradient(panel, batch, totals, panel.rows, out);
  for (std::size_t i = 0; i < kPanel; ++i) {
    bias_gradient[i] = static_cast<float>(totals[i]);
    gain_gradient[i] = static_cast<float>(totals[kPanel + i]);
  }
}

}  // namespace
}  // namespace kernels::normalization
