// Compiled for NEON.
#include "../generic/rounding.hpp"

namespace kernels::rounding {

const Kernels neon{column_factors, round_columns, round_rows, pack_row};

}  // namespace kernels::rounding
