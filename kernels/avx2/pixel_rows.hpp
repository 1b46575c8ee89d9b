// Products of pixels by bits, for the forms that tell apart how tables are made and looked up.
#pragma once

#include "../pixels.hpp"

#include "common.hpp"

namespace kernels::pixels {
namespace {

// Rows whose tables are made before the panels are read: these stay in the second-level cache.
constexpr std::size_t kTableRows = 16;
// Pixels that are read at a time: 16 bytes of nibbles.
constexpr std::size_t kBlock = 32;
// What a form may write past a row's last group, in groups.
constexpr std::size_t kSlack = 32;

// A row's groups that are not all 0, and others of zeros that fill up their number.
struct Row {
  std::uint8_t* tables;
  std::uint16_t* offsets;  // of the groups in a block
  std::size_t count;
  int sum;
};

// Where the sums of a row by a block of panels go.
struct BlockTarget {
  Output out;
  std::size_t row, panel;
  bool add;
};

// Pixels [first, first + count) of row m as nibbles, 0 past the row's `elements`. See
// `multiply_pixels` of the form.
template <typename Form>
void read_nibbles(IntRows x, std::size_t m, std::size_t first, std::size_t count,
                  std::size_t elements, const Form& form, std::uint8_t* out) {
  const std::uint8_t* row = x.row(m);
  const std::size_t last = smaller(elements, first + count);
  const std::size_t whole = last > first ? (last - first) / kBlock : 0;
  if (x.form == kernels::Form::nibbles) {
    __builtin_memcpy(out, row + first / 2, whole * kBlock / 2);
  } else {
    form.pack(row + first, whole, out);
  }
  std::uint8_t* bytes = out + whole * kBlock / 2;
  std::uint8_t* end = out + count / 2;
  const std::size_t k = first + whole * kBlock;
  if (k < last) {
    const std::size_t left = last - k;
    if (x.form == kernels::Form::nibbles) {
      __builtin_memcpy(bytes, row + k / 2, (left + 1) / 2);
    } else {
      alignas(kBlock) std::uint8_t tail[kBlock] = {};
      __builtin_memcpy(tail, row + k, left);
      form.pack(tail, 1, bytes);
    }
    bytes += left / 2;
    // Of a pixel without a partner the other half; a byte of 0 may stand for more than level 0.
    if (left % 2 != 0) *bytes++ &= 15;
  }
  for (; bytes < end; ++bytes) *bytes = 0;
}

// The product. Form has
// - kGroup: elements of a group; kTable: bytes of its table; Kept: holds its nibbles;
// - kMaxGroups: so many of a row at a time, whole blocks of pixels: their sums and their offsets fit
//   16 bits, and the tables of `kTableRows` rows the second-level cache;
// - pack(pixels, blocks, nibbles): the levels of blocks of pixels, a byte each, to nibbles;
// - keep(nibbles, blocks, kept, row): of a row's blocks of nibbles, those of the groups that are not
//   0 to `kept`, their offsets to the row, and their number and sum;
// - make(kept, row): the row's tables from them;
// - multiply(row, block, panels, to): a row's sums by the first `panels` panels of a block.
// What it writes past the last group, `kSlack` groups at most, is for the next to overwrite.
template <typename Form>
void multiply_pixels(IntRows x, std::size_t elements, GroupOperand b, Output out,
                     products::Range range, const Form& form) {
  constexpr std::size_t kGroup = Form::kGroup, kMaxGroups = Form::kMaxGroups;
  static_assert(kMaxGroups * kGroup % kBlock == 0);
  const std::size_t max_blocks = (smaller(b.groups, kMaxGroups) * kGroup + kBlock - 1) / kBlock;
  // A multiple of 8, so that every row's numbers begin where an aligned load of 16 bytes may.
  const std::size_t max_tables = (max_blocks * kBlock / kGroup + kSlack + 7) / 8 * 8;
  const std::size_t max_nibbles = max_blocks * kBlock / 2;
  const Scratch<std::uint8_t> nibbles(kTableRows * max_nibbles);
  const Scratch<std::uint8_t> tables(kTableRows * max_tables * Form::kTable);
  const Scratch<std::uint16_t> offsets(kTableRows * max_tables);
  const Scratch<typename Form::Kept> kept(kTableRows * max_tables);
  Row rows[kTableRows];
  for (std::size_t row = range.row_begin; row < range.row_end; row += kTableRows) {
    const std::size_t count = smaller(kTableRows, range.row_end - row);
    prefetch(x, row + count, smaller(row + count + kTableRows, range.row_end));
    for (std::size_t group = 0; group < b.groups; group += kMaxGroups) {
      const std::size_t groups = smaller(kMaxGroups, b.groups - group);
      const std::size_t blocks = (groups * kGroup + kBlock - 1) / kBlock;
      const std::size_t first = group * kGroup;
      // Step by step for all rows: what a row's step has just written, its next would wait for.
      for (std::size_t r = 0; r < count; ++r) {
        read_nibbles(x, row + r, first, blocks * kBlock, smaller(elements, first + groups * kGroup),
                     form, nibbles.get() + r * max_nibbles);
      }
      for (std::size_t r = 0; r < count; ++r) {
        rows[r].tables = tables.get() + r * max_tables * Form::kTable;
        rows[r].offsets = offsets.get() + r * max_tables;
        form.keep(nibbles.get() + r * max_nibbles, blocks, kept.get() + r * max_tables, rows[r]);
      }
      for (std::size_t r = 0; r < count; ++r) form.make(kept.get() + r * max_tables, rows[r]);
      for (std::size_t panel = range.panel_begin; panel < range.panel_end;
           panel += kPanelsOfBlock) {
        const std::uint8_t* block = b.data + (panel * b.groups + group * kPanelsOfBlock) * kPanel;
        const std::size_t panels = smaller(kPanelsOfBlock, range.panel_end - panel);
        for (std::size_t r = 0; r < count; ++r) {
          form.multiply(rows[r], block, panels, {out, row + r, panel, group > 0});
        }
      }
    }
  }
}

}  // namespace
}  // namespace kernels::pixels
