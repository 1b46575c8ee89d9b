// Products of pixels by bits, for the forms that tell apart how tables are made and looked up.
#pragma once

#include "../pixels.hpp"

#include "lookup.hpp"

namespace kernels::pixels {
namespace {

// Rows whose tables are made before the panels are read: these stay in the second-level cache.
constexpr std::size_t kTableRows = 32;
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
  std::size_t k = first;
  auto* to = reinterpret_cast<__m128i*>(out);
  if (x.form == kernels::Form::nibbles) {
    for (; k + kBlock <= last; k += kBlock, ++to) {
      _mm_store_si128(to, _mm_loadu_si128(reinterpret_cast<const __m128i*>(row + k / 2)));
    }
  } else {
    const __m256i places = _mm256_set1_epi16(0x1001);
    for (; k + kBlock <= last; k += kBlock, ++to) {
      const __m256i pairs = _mm256_maddubs_epi16(form.levels(load(row + k)), places);
      const __m256i packed = _mm256_packus_epi16(pairs, pairs);
      _mm_store_si128(to, _mm256_castsi256_si128(_mm256_permute4x64_epi64(packed, 0b1000)));
    }
  }
  auto* bytes = reinterpret_cast<std::uint8_t*>(to);
  std::uint8_t* end = out + count / 2;
  for (std::uint8_t* byte = bytes; byte < end; ++byte) *byte = 0;
  for (std::size_t i = 0; k < last; ++k, ++i) {
    const int pixel = x.form == kernels::Form::nibbles ? row[k / 2] >> (k % 2 * 4) & 15
                                                       : x.levels->of[row[k]];
    bytes[i / 2] = static_cast<std::uint8_t>(bytes[i / 2] | pixel << (i % 2 * 4));
  }
}

// The product. Form has
// - kGroup: elements of a group; kTable: bytes of its table; Kept: holds its nibbles;
// - kMaxGroups: so many of a row at a time, whole blocks of pixels: their sums and their offsets fit
//   16 bits, and the tables of `kTableRows` rows the second-level cache;
// - levels(bytes): those that 32 bytes of pixels stand for;
// - keep(nibbles, blocks, kept, row): of a row's blocks of nibbles, those of the groups that are not
//   0 to `kept`, their offsets to the row, and their number and sum;
// - make(kept, row): the row's tables from them;
// - multiply(row, block, panels, out): a row's sums by the first `panels` panels of a block, to
//   where they belong.
// What it writes past the last group, `kSlack` groups at most, is for the next to overwrite.
template <typename Form>
void multiply_pixels(IntRows x, std::size_t elements, GroupOperand b, Output out,
                     products::Range range, const Form& form) {
  constexpr std::size_t kGroup = Form::kGroup, kMaxGroups = Form::kMaxGroups;
  static_assert(kMaxGroups * kGroup % kBlock == 0);
  const std::size_t max_blocks = (smaller(b.groups, kMaxGroups) * kGroup + kBlock - 1) / kBlock;
  const std::size_t max_tables = max_blocks * kBlock / kGroup + kSlack;
  const Scratch<std::uint8_t> nibbles(max_blocks * kBlock / 2);
  const Scratch<std::uint8_t> tables(kTableRows * max_tables * Form::kTable);
  const Scratch<std::uint16_t> offsets(kTableRows * max_tables);
  const Scratch<typename Form::Kept> kept(max_tables);
  Row rows[kTableRows];
  for (std::size_t row = range.row_begin; row < range.row_end; row += kTableRows) {
    const std::size_t count = smaller(kTableRows, range.row_end - row);
    prefetch(x, row + count, smaller(row + count + kTableRows, range.row_end));
    for (std::size_t group = 0; group < b.groups; group += kMaxGroups) {
      const std::size_t groups = smaller(kMaxGroups, b.groups - group);
      const std::size_t blocks = (groups * kGroup + kBlock - 1) / kBlock;
      const std::size_t first = group * kGroup;
      for (std::size_t r = 0; r < count; ++r) {
        rows[r].tables = tables.get() + r * max_tables * Form::kTable;
        rows[r].offsets = offsets.get() + r * max_tables;
        read_nibbles(x, row + r, first, blocks * kBlock, smaller(elements, first + groups * kGroup),
                     form, nibbles.get());
        form.keep(nibbles.get(), blocks, kept.get(), rows[r]);
        form.make(kept.get(), rows[r]);
      }
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
