#include "dispatch.hpp"

#include <cstdlib>
#include <stdexcept>
#include <string>

namespace kernels {

// The tables of kernels, which the files of the instruction sets define.
namespace packing { extern const Kernels scalar, avx2, neon; }
namespace products { extern const Kernels scalar, avx2, avx512, neon; }
namespace pixels { extern const Kernels scalar, avx2, avx512, neon; }
namespace float_products { extern const Kernels scalar, avx2, neon; }
namespace normalization { extern const Kernels scalar, avx2, avx512, neon; }
namespace rounding { extern const Kernels scalar, avx2, avx512, neon; }
namespace optimizers { extern const Kernels scalar, avx2, avx512, neon; }
namespace thresholds { extern const Kernels scalar, avx2, neon; }

namespace {

constexpr InstructionSet kScalar{"scalar",
                                 &packing::scalar,
                                 &products::scalar,
                                 &pixels::scalar,
                                 &float_products::scalar,
                                 &normalization::scalar,
                                 &rounding::scalar,
                                 &optimizers::scalar,
                                 &thresholds::scalar};

bool runs_everywhere() { return true; }

#if defined(BINARY_KERNELS_X86)
constexpr InstructionSet kAvx2{"avx2",
                               &packing::avx2,
                               &products::avx2,
                               &pixels::avx2,
                               &float_products::avx2,
                               &normalization::avx2,
                               &rounding::avx2,
                               &optimizers::avx2,
                               &thresholds::avx2};

bool runs_avx2() { return __builtin_cpu_supports("avx2") != 0; }

// The families that gain nothing by wider registers use their AVX2 kernels.
constexpr InstructionSet kAvx512{"avx512",
                                 &packing::avx2,
                                 &products::avx512,
                                 &pixels::avx512,
                                 &float_products::avx2,
                                 &normalization::avx512,
                                 &rounding::avx512,
                                 &optimizers::avx512,
                                 &thresholds::avx2};

// Ice Lake, Zen 4 and their successors have all of these.
bool runs_avx512() {
  return __builtin_cpu_supports("avx512bw") != 0 && __builtin_cpu_supports("avx512dq") != 0 &&
         __builtin_cpu_supports("avx512vl") != 0 && __builtin_cpu_supports("avx512vbmi") != 0 &&
         __builtin_cpu_supports("avx512vbmi2") != 0 && __builtin_cpu_supports("avx512vnni") != 0 &&
         __builtin_cpu_supports("avx512vpopcntdq") != 0;
}
#elif defined(BINARY_KERNELS_AARCH64)
constexpr InstructionSet kNeon{"neon",
                               &packing::neon,
                               &products::neon,
                               &pixels::neon,
                               &float_products::neon,
                               &normalization::neon,
                               &rounding::neon,
                               &optimizers::neon,
                               &thresholds::neon};
#endif

// The sets that this build has, the fastest first.
constexpr struct {
  const InstructionSet* set;
  bool (*runs)();
} kBuilt[] = {
#if defined(BINARY_KERNELS_X86)
    {&kAvx512, runs_avx512},
    {&kAvx2, runs_avx2},
#elif defined(BINARY_KERNELS_AARCH64)
    // Every AArch64 processor has NEON.
    {&kNeon, runs_everywhere},
#endif
    {&kScalar, runs_everywhere},
};

}  // namespace

const InstructionSet& instruction_set(const char* name) {
  const std::string wanted = name;
  for (const auto& [set, runs] : kBuilt) {
    if ((wanted == "auto" || wanted == set->name) && runs()) return *set;
  }
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
