// Which form of the kernels runs: chosen at run time, forced by BINARY_KERNELS.
#pragma once

#include "packing.hpp"
#include "products.hpp"

namespace kernels {

struct InstructionSet {
  const char* name;
  const packing::Kernels* packing;
  const products::Kernels* products;
};

// The form called `name`; the best that this processor runs for "auto".
// Throws std::invalid_argument for an unknown name or one that this processor cannot run.
const InstructionSet& instruction_set(const char* name);

// "auto", or what the environment variable BINARY_KERNELS asks for.
const char* requested_instruction_set();

}  // namespace kernels
