// A vector of numbers rounded stochastically to small integers.
#pragma once

#include "../vectors.hpp"

namespace kernels {
namespace {

// Integers are rounded from multiples of 2^-16, and with 16 random bits: a number of units plus a
// random one below 2^16, over 2^16, is rounded up with the probability of its fraction.
constexpr float kUnits = 65536.0F;

// Below this, the units per factor are more than a float32 holds.
constexpr float kLeastFactor = 0x1p-111F;

inline Floats units_per(Floats factor) {
  return where(factor >= all(kLeastFactor), all(kUnits) / factor, all(0.0F));
}

inline void round_to(std::int8_t* out, Floats g, Floats units, Words random) {
  const Floats x = g * units;
  // What is no number, or infinite times 0, is no integer either: 0 on every processor.
  const Floats numbers = where(x == x, x, all(0.0F));
  store_int8(out, (to_int(numbers) + reinterpret_cast<Ints>(random)) >> 16);
}

}  // namespace
}  // namespace kernels
