// Packing, one bit at a time: the reference for every instruction set.
#include "../packing.hpp"

#include <cstring>

namespace kernels::packing {
namespace {

void pack_row(const float* x, std::size_t columns, std::uint8_t* row) {
  std::memset(row, 0, bytes_for(columns));
  for (std::size_t c = 0; c < columns; ++c) {
    row[c / 8] |= static_cast<std::uint8_t>((x[c] >= 0.0F) << (c % 8));
  }
}

void interleave_panel(const std::uint8_t* matrix, std::size_t rows, std::size_t bytes,
                      std::uint8_t* panel) {
  std::memset(panel, 0, bytes * kPanel);
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t b = 0; b < bytes; ++b) panel[b * kPanel + r] = matrix[r * bytes + b];
  }
}

void transpose_panel(const std::uint8_t* matrix, std::size_t rows, std::size_t columns,
                     std::size_t panel_index, std::uint8_t* panel) {
  const std::size_t bytes = bytes_for(columns);
  const std::size_t first = panel_index * kPanel;
  std::memset(panel, 0, bytes_for(rows) * kPanel);
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t o = 0; o < rows_in_panel(panel_index, columns); ++o) {
      const unsigned bit = matrix[r * bytes + (first + o) / 8] >> ((first + o) % 8) & 1U;
      panel[r / 8 * kPanel + o] |= static_cast<std::uint8_t>(bit << (r % 8));
    }
  }
}

}  // namespace

const Kernels scalar{pack_row, interleave_panel, transpose_panel};

}  // namespace kernels::packing
