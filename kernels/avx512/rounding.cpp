// Compiled for AVX-512.
#include "../generic/rounding.hpp"

namespace kernels::rounding {

const Kernels avx512{column_factors, round_columns, round_rows, pack_row};

}  // namespace kernels::rounding
