// Which form of the kernels runs: chosen at run time, forced by BINARY_KERNELS.
#pragma once

#include "convolution.hpp"
#include "float_products.hpp"
#include "normalization.hpp"
#include "optimizers.hpp"
#include "packing.hpp"
#include "pixels.hpp"
#include "products.hpp"
#include "rounding.hpp"
#include "thresholds.hpp"

namespace kernels {

struct InstructionSet {
  const char* name;
  const packing::Kernels* packing;
  const products::Kernels* products;
  const pixels::Kernels* pixels;
  const convolution::Kernels* convolution;
  const float_products::Kernels* float_products;
  const normalization::Kernels* normalization;
  const rounding::Kernels* rounding;
  const optimizers::Kernels* optimizers;
  const thresholds::Kernels* thresholds;
};

// The form called `name`; the best that this processor runs for "auto".
// Throws std::invalid_argument for an unknown name or one that this processor cannot run.
const InstructionSet& instruction_set(const char* name);

// "auto", or what the environment variable BINARY_KERNELS asks for.
const char* requested_instruction_set();

}  // namespace kernels
