// For any processor.
#include "../generic/rounding.hpp"

namespace kernels::rounding {

const Kernels scalar{column_factors, round_columns, round_rows, pack_row};

}  // namespace kernels::rounding
