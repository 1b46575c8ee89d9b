// Compiled for AVX2.
#include "../generic/rounding.hpp"

namespace kernels::rounding {

const Kernels avx2{column_factors, round_columns, round_rows, pack_row};

}  // namespace kernels::rounding
