// Compiled once for each instruction set, whose name BINARY_KERNELS_SET is.
#include "rounding.hpp"

namespace kernels::rounding {

const Kernels BINARY_KERNELS_SET{column_factors, round_columns, round_rows, pack_row};

}  // namespace kernels::rounding
