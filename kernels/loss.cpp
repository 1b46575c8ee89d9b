#include "loss.hpp"

#include <algorithm>
#include <bit>
#include <vector>

namespace kernels::loss {
namespace {

// e^x for x <= 0, to about one unit in the last place: x = n ln 2 + r, |r| <= ln 2 / 2; the Taylor
// polynomial of degree 7 for e^r (its remainder is below 2^-27), times 2^n. ln 2 in two parts, the
// first of which times n is exact (Cody & Waite 1980).
float exponential(float x) {
  // Smaller results are subnormal, and nothing beside the largest score's 1.
  if (x < -87.0F) return 0.0F;
  const auto n = static_cast<int>(x * 1.44269504F - 0.5F);
  const auto whole = static_cast<float>(n);
  const float r = (x - whole * 0.693359375F) - whole * -2.12194440e-4F;
  float sum = 1.0F / 5040.0F;
  for (const float inverse_factorial : {1.0F / 720.0F, 1.0F / 120.0F, 1.0F / 24.0F, 1.0F / 6.0F,
                                        0.5F, 1.0F, 1.0F}) {
    sum = sum * r + inverse_factorial;
  }
  return sum * std::bit_cast<float>((n + 127) << 23);
}

float score(const Scores& scores, std::size_t row, std::size_t c) {
  const std::size_t panel = c / kPanel, lane = c % kPanel;
  const std::size_t at = (panel * scores.rows + row) * kPanel + lane;
  const float s = scores.wide
                      ? static_cast<float>(static_cast<const std::int32_t*>(scores.sums)[at])
                      : static_cast<float>(static_cast<const std::int16_t*>(scores.sums)[at]);
  const std::size_t column = panel * scores.batch_stride + lane;
  return s * scores.affine.scale[column] + scores.affine.shift[column];
}

}  // namespace

void softmax_gradient(const Scores& scores, const std::uint8_t* labels, float smoothing,
                      std::size_t begin, std::size_t end, float* out) {
  const float rest = smoothing / static_cast<float>(scores.classes);
  const std::size_t width = panels_for(scores.classes) * kPanel;
  std::vector<float> values(width);
  for (std::size_t row = begin; row < end; ++row) {
    float largest = score(scores, row, 0);
    for (std::size_t c = 0; c < scores.classes; ++c) {
      values[c] = score(scores, row, c);
      largest = std::max(largest, values[c]);
    }
    float sum = 0;
    for (std::size_t c = 0; c < scores.classes; ++c) {
      values[c] = exponential(values[c] - largest);
      sum += values[c];
    }
    for (std::size_t c = 0; c < width; ++c) {
      const float target = c == labels[row] ? 1.0F - smoothing + rest : rest;
      const float difference = c < scores.classes ? values[c] / sum - target : 0.0F;
      out[(c / kPanel * scores.rows + row) * kPanel + c % kPanel] =
          difference / static_cast<float>(scores.rows);
    }
  }
}

}  // namespace kernels::loss
