// Packing: floats to bits, bits to panels, bits to panels of their transpose.
//
// Exact: a bit is the sign of its number, +1 for 0 and -0, -1 for NaN.
#pragma once

#include "layout.hpp"

namespace kernels::packing {

// One row: `columns` floats to bytes_for(columns) bytes.
using PackRow = void (*)(const float* x, std::size_t columns, std::uint8_t* row);

// One panel: `rows` (1 to 32) rows of `bytes` bytes to (bytes, 32).
using InterleavePanel = void (*)(const std::uint8_t* matrix, std::size_t rows, std::size_t bytes,
                                 std::uint8_t* panel);

// One panel of the transpose: columns 32 p to 32 p + 31 of (rows, columns) bits to
// (bytes_for(rows), 32).
using TransposePanel = void (*)(const std::uint8_t* matrix, std::size_t rows, std::size_t columns,
                                std::size_t panel_index, std::uint8_t* panel);

struct Kernels {
  PackRow pack_row;
  InterleavePanel interleave_panel;
  TransposePanel transpose_panel;
};

extern const Kernels scalar;
extern const Kernels avx2;
extern const Kernels neon;

}  // namespace kernels::packing
