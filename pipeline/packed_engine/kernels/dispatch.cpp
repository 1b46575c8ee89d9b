#include "dispatch.hpp"

#include <cstdlib>
#include <stdexcept>
#include <string>

namespace kernels {
namespace {

constexpr InstructionSet kScalar{"scalar",
                              &packing::scalar,
                              &products::scalar,
                              &pixels::scalar,
                              &exact::scalar,
                              &normalization::scalar,
                              &rounding::scalar,
                              &optimizers::scalar,
                              &thresholds::scalar};

#if defined(BINARY_KERNELS_AVX2)
constexpr InstructionSet kAvx2{"avx2",
                              &packing::avx2,
                              &products::avx2,
                              &pixels::avx2,
                              &exact::avx2,
                              &normalization::avx2,
                              &rounding::avx2,
                              &optimizers::avx2,
                              &thresholds::avx2};
bool runs_avx2() { return __builtin_cpu_supports("avx2") != 0; }
#endif

}  // namespace

const InstructionSet& instruction_set(const char* name) {
  const std::string wanted = name;
  if (wanted == "scalar") return kScalar;
#if defined(BINARY_KERNELS_AVX2)
  if ((wanted == "auto" || wanted == "avx2") && runs_avx2()) return kAvx2;
#endif
  if (wanted == "auto") return kScalar;
  if (wanted == "avx2") throw std::invalid_argument("this processor has no AVX2 kernels");
  throw std::invalid_argument("unknown instruction set '" + wanted +
                              "': choose auto, scalar or avx2");
}

const char* requested_instruction_set() {
  const char* forced = std::getenv("BINARY_KERNELS");
  return forced == nullptr || *forced == '\0' ? "auto" : forced;
}

}  // namespace kernels
