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
                              &convolution::scalar,
                              &float_products::scalar,
                              &normalization::scalar,
                              &rounding::scalar,
                              &optimizers::scalar,
                              &thresholds::scalar};

#if defined(BINARY_KERNELS_X86)
constexpr InstructionSet kAvx2{"avx2",
                              &packing::avx2,
                              &products::avx2,
                              &pixels::avx2,
                              &convolution::avx2,
                              &float_products::avx2,
                              &normalization::avx2,
                              &rounding::avx2,
                              &optimizers::avx2,
                              &thresholds::avx2};
bool runs_avx2() { return __builtin_cpu_supports("avx2") != 0; }

// What a wider register gains nothing for is that of AVX2.
constexpr InstructionSet kAvx512{"avx512",
                                &packing::avx2,
                                &products::avx512,
                                &pixels::avx512,
                                &convolution::avx512,
                                &float_products::avx2,
                                &normalization::avx512,
                                &rounding::avx512,
                                &optimizers::avx512,
                                &thresholds::avx2};
// Ice Lake and Zen 4, and later, have all of these.
bool runs_avx512() {
  return __builtin_cpu_supports("avx512bw") != 0 && __builtin_cpu_supports("avx512dq") != 0 &&
         __builtin_cpu_supports("avx512vl") != 0 &&
         __builtin_cpu_supports("avx512vbmi") != 0 && __builtin_cpu_supports("avx512vbmi2") != 0 &&
         __builtin_cpu_supports("avx512vnni") != 0 &&
         __builtin_cpu_supports("avx512vpopcntdq") != 0;
}
#elif defined(BINARY_KERNELS_AARCH64)
// Every processor of this architecture has it.
constexpr InstructionSet kNeon{"neon",
                              &packing::neon,
                              &products::neon,
                              &pixels::neon,
                              &convolution::neon,
                              &float_products::neon,
                              &normalization::neon,
                              &rounding::neon,
                              &optimizers::neon,
                              &thresholds::neon};
#endif

}  // namespace

const InstructionSet& instruction_set(const char* name) {
  const std::string wanted = name;
  const bool best = wanted == "auto";
#if defined(BINARY_KERNELS_X86)
  if ((best || wanted == "avx512") && runs_avx512()) return kAvx512;
  if ((best || wanted == "avx2") && runs_avx2()) return kAvx2;
#elif defined(BINARY_KERNELS_AARCH64)
  if (best || wanted == "neon") return kNeon;
#endif
  if (best || wanted == "scalar") return kScalar;
  if (wanted == "avx2" || wanted == "avx512" || wanted == "neon") {
    throw std::invalid_argument("this processor has no " + wanted + " kernels");
  }
  throw std::invalid_argument("unknown instruction set '" + wanted +
                              "': choose auto, scalar, avx2, avx512 or neon");
}

const char* requested_instruction_set() {
  const char* forced = std::getenv("BINARY_KERNELS");
  return forced == nullptr || *forced == '\0' ? "auto" : forced;
}

}  // namespace kernels
