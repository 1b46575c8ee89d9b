// Products with AVX2: one byte shuffle looks up the partial sums of four elements for 32
// outputs.
//
// | instruction         | does                       | Zen 4: latency, pipes | Skylake: latency, ports |
// |---------------------|----------------------------|-----------------------|-------------------------|
// | vpshufb ymm         | 32 lookups in 16 entries   | 2, 2 of 4             | 1, p5                   |
// | vpaddb, vpaddw ymm  | add                        | 1, 4 of 4             | 1, p015                 |
// | vpand, vpsrlw ymm   | split bytes in nibbles     | 1, 4 and 2 of 4       | 1, p015 and p01         |
// | vbroadcasti128 load | a table to both halves     | load                  | load                    |
#include "../products.hpp"

#include "common.hpp"

namespace kernels::products {
namespace {

__m256i load_table(const std::uint8_t* table) {
  return _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(table)));
}

__m256i low_nibbles(__m256i x) { return _mm256_and_si256(x, _mm256_set1_epi8(15)); }

__m256i high_nibbles(__m256i x) { return low_nibbles(_mm256_srli_epi16(x, 4)); }

// Counts of 32 outputs in 16 bits: the even outputs in one register, the odd in another, which
// is how 8-bit counts widen without a shuffle.
struct Wide {
  __m256i even = _mm256_setzero_si256();
  __m256i odd = _mm256_setzero_si256();

  void add(__m256i bytes) {
    even = _mm256_add_epi16(even, _mm256_and_si256(bytes, _mm256_set1_epi16(0xFF)));
    odd = _mm256_add_epi16(odd, _mm256_srli_epi16(bytes, 8));
  }

  // The 32 counts in order, as int32.
  void in_order(__m256i (&values)[4]) const {
    const __m256i low = _mm256_unpacklo_epi16(even, odd);
    const __m256i high = _mm256_unpackhi_epi16(even, odd);
    values[0] = _mm256_cvtepu16_epi32(_mm256_castsi256_si128(low));
    values[1] = _mm256_cvtepu16_epi32(_mm256_castsi256_si128(high));
    values[2] = _mm256_cvtepu16_epi32(_mm256_extracti128_si256(low, 1));
    values[3] = _mm256_cvtepu16_epi32(_mm256_extracti128_si256(high, 1));
  }
};

// out[o] += scale * counts[o] for the outputs of a panel that exist.
void accumulate(std::int32_t* out, std::size_t outputs, const Wide& counts, int scale) {
  __m256i values[4];
  counts.in_order(values);
  const __m256i factor = _mm256_set1_epi32(scale);
  if (outputs == kPanel) {
    for (std::size_t i = 0; i < 4; ++i) {
      auto* p = reinterpret_cast<__m256i*>(out + 8 * i);
      _mm256_storeu_si256(p, _mm256_add_epi32(_mm256_loadu_si256(p),
                                              _mm256_mullo_epi32(values[i], factor)));
    }
    return;
  }
  alignas(32) std::int32_t spilled[kPanel];
  for (std::size_t i = 0; i < 4; ++i) {
    _mm256_store_si256(reinterpret_cast<__m256i*>(spilled + 8 * i), values[i]);
  }
  for (std::size_t o = 0; o < outputs; ++o) out[o] += scale * spilled[o];
}

// ---- bits by bits: 16 fixed tables of popcount(a xor b) ------------------------------------

struct alignas(64) XorTables {
  std::uint8_t count[16][16];
};

constexpr XorTables make_xor_tables() {
  XorTables tables{};
  for (unsigned a = 0; a < 16; ++a) {
    for (unsigned b = 0; b < 16; ++b) {
      const unsigned x = a ^ b;
      tables.count[a][b] = static_cast<std::uint8_t>((x & 1) + (x >> 1 & 1) + (x >> 2 & 1) +
                                                     (x >> 3 & 1));
    }
  }
  return tables;
}

constexpr XorTables kXorTables = make_xor_tables();

// A lookup adds at most 4 to a byte: 63 fit. Bytes hold two groups, hence 31 bytes.
constexpr std::size_t kXorBytesUntilWide = 31;
// A widening adds at most 248 to 16 bits: 264 fit. After four, the split nibbles of two
// panels fill 15.5 KiB, half of the first-level cache, from where every tile of rows reads them.
constexpr std::size_t kXorBytesUntilOut = kXorBytesUntilWide * 4;
// A single tile of rows reads them once only: then fewer passes over the output pay.
constexpr std::size_t kXorBytesUntilOutOfFewRows = kXorBytesUntilWide * 264;

// Four rows by two panels: 8 sums, 2 indices and a table stay in 16 registers, and a table
// and an index each serve several lookups, so that loads do not bind.
constexpr std::size_t kTileRows = 4;

std::size_t xor_step(Range range) {
  const bool few = range.row_end - range.row_begin <= kTileRows;
  return few ? kXorBytesUntilOutOfFewRows : kXorBytesUntilOut;
}

// Split the nibbles of `Panels` panels once for all rows: (2 bytes, Panels, 32) indices.
template <std::size_t Panels>
void split_panels(PanelOperand b, std::size_t panel, std::size_t begin, std::size_t end,
                  std::uint8_t* indices) {
  for (std::size_t byte = begin; byte < end; ++byte) {
    for (std::size_t p = 0; p < Panels; ++p) {
      const __m256i x = load(b.data + ((panel + p) * b.bytes + byte) * kPanel);
      std::uint8_t* at = indices + ((byte - begin) * 2 * Panels + p) * kPanel;
      _mm256_store_si256(reinterpret_cast<__m256i*>(at), low_nibbles(x));
      _mm256_store_si256(reinterpret_cast<__m256i*>(at + Panels * kPanel), high_nibbles(x));
    }
  }
}

template <std::size_t Rows, std::size_t Panels>
void xor_tile(const std::uint8_t* const (&a)[Rows], std::size_t bytes,
              const std::uint8_t* indices, Wide (&wide)[Rows][Panels]) {
  const std::uint8_t* tables = kXorTables.count[0];
  for (std::size_t start = 0; start < bytes; start += kXorBytesUntilWide) {
    const std::size_t end = smaller(bytes, start + kXorBytesUntilWide);
    __m256i sums[Rows][Panels];
    for (auto& row : sums) {
      for (auto& sum : row) sum = _mm256_setzero_si256();
    }
    const std::uint8_t* index = indices + start * 2 * Panels * kPanel;
    for (std::size_t byte = start; byte < end; ++byte) {
      for (int half = 0; half < 2; ++half) {
        __m256i at[Panels];
        for (std::size_t p = 0; p < Panels; ++p) {
          at[p] = _mm256_load_si256(reinterpret_cast<const __m256i*>(index + p * kPanel));
        }
        index += Panels * kPanel;
#pragma GCC unroll 4
        for (std::size_t r = 0; r < Rows; ++r) {
          const unsigned x = a[r][byte];
          const __m256i table = load_table(tables + (half == 0 ? (x & 15) * 16 : x & 0xF0));
#pragma GCC unroll 4
          for (std::size_t p = 0; p < Panels; ++p) {
            sums[r][p] = _mm256_add_epi8(sums[r][p], _mm256_shuffle_epi8(table, at[p]));
          }
        }
      }
    }
    for (std::size_t r = 0; r < Rows; ++r) {
      for (std::size_t p = 0; p < Panels; ++p) wide[r][p].add(sums[r][p]);
    }
  }
}

template <std::size_t Rows, std::size_t Panels>
void xor_rows(const std::uint8_t* a, PanelOperand b, std::size_t row, std::size_t panel,
              std::size_t begin, std::size_t end, const std::uint8_t* indices,
              std::int32_t* out) {
  const std::uint8_t* rows[Rows];
  for (std::size_t r = 0; r < Rows; ++r) rows[r] = a + (row + r) * b.bytes + begin;
  Wide wide[Rows][Panels];
  xor_tile<Rows, Panels>(rows, end - begin, indices, wide);
  for (std::size_t r = 0; r < Rows; ++r) {
    for (std::size_t p = 0; p < Panels; ++p) {
      accumulate(out + (row + r) * b.outputs + (panel + p) * kPanel,
                 rows_in_panel(panel + p, b.outputs), wide[r][p], -2);
    }
  }
}

template <std::size_t Panels>
void xor_panels(const std::uint8_t* a, PanelOperand b, std::size_t panel, Range range,
                std::uint8_t* indices, std::int32_t* out) {
  const std::size_t step = xor_step(range);
  for (std::size_t begin = 0; begin < b.bytes; begin += step) {
    const std::size_t end = smaller(b.bytes, begin + step);
    split_panels<Panels>(b, panel, begin, end, indices);
    std::size_t row = range.row_begin;
    for (; row + kTileRows <= range.row_end; row += kTileRows) {
      xor_rows<kTileRows, Panels>(a, b, row, panel, begin, end, indices, out);
    }
    for (; row < range.row_end; ++row) {
      xor_rows<1, Panels>(a, b, row, panel, begin, end, indices, out);
    }
  }
}

// The sum of K products is K less twice the bits that differ.
void bits_by_bits(const std::uint8_t* a, std::size_t elements, PanelOperand b, std::int32_t* out,
                  Range range) {
  const std::size_t last = smaller(range.panel_end * kPanel, b.outputs);
  for (std::size_t m = range.row_begin; m < range.row_end; ++m) {
    for (std::size_t n = range.panel_begin * kPanel; n < last; ++n) {
      out[m * b.outputs + n] = static_cast<std::int32_t>(elements);
    }
  }
  const std::size_t bytes = smaller(b.bytes, xor_step(range));
  const Scratch<std::uint8_t> indices(bytes * 4 * kPanel);
  std::size_t panel = range.panel_begin;
  for (; panel + 2 <= range.panel_end; panel += 2) xor_panels<2>(a, b, panel, range, indices.get(), out);
  if (panel < range.panel_end) xor_panels<1>(a, b, panel, range, indices.get(), out);
}

// ---- small integers by bits: tables of the partial sums of four elements -------------------

// A partial sum of four integers in 0..15 is at most 60: four fit in a byte.
constexpr std::size_t kIntBytesUntilWide = 2;
// A widening adds at most 240 to 16 bits. Four rows' tables of this many bytes of bits also
// fill 24 KiB, which leaves room in the first-level cache.
constexpr std::size_t kIntBytesUntilOut = 192;

// Entry i of a group's table is the sum of the elements whose bit in i is set. Each half of a
// register makes a group: element j is copied where bit j of i is set, and four copies add up.
struct TableMaker {
  __m256i pick[4];

  TableMaker() {
    alignas(32) std::uint8_t pattern[kPanel];
    for (std::uint8_t j = 0; j < 4; ++j) {
      for (std::uint8_t i = 0; i < kPanel; ++i) {
        const bool set = (i % 16 >> j & 1) != 0;
        pattern[i] = set ? static_cast<std::uint8_t>(j + (i < 16 ? 0 : 4)) : 0x80;
      }
      pick[j] = load(pattern);
    }
  }

  // Two groups of four bytes to two tables of 16.
  void make(const std::uint8_t* elements, std::uint8_t* tables) const {
    long long word;
    __builtin_memcpy(&word, elements, sizeof(word));
    const __m256i x = _mm256_set1_epi64x(word);
    const __m256i low = _mm256_add_epi8(_mm256_shuffle_epi8(x, pick[0]),
                                        _mm256_shuffle_epi8(x, pick[1]));
    const __m256i high = _mm256_add_epi8(_mm256_shuffle_epi8(x, pick[2]),
                                         _mm256_shuffle_epi8(x, pick[3]));
    _mm256_store_si256(reinterpret_cast<__m256i*>(tables), _mm256_add_epi8(low, high));
  }
};

// Tables of `rows` rows for elements [8 begin, 8 end): (rows, 2 (end - begin), 16).
void make_tables(const TableMaker& maker, const std::uint8_t* a, std::size_t elements,
                 std::size_t row, std::size_t rows, std::size_t begin, std::size_t end,
                 std::uint8_t* tables) {
  for (std::size_t r = 0; r < rows; ++r) {
    const std::uint8_t* source = a + (row + r) * elements;
    for (std::size_t byte = begin; byte < end; ++byte) {
      std::uint8_t* table = tables + (r * (end - begin) + byte - begin) * 2 * 16;
      if (byte * 8 + 8 <= elements) {
        maker.make(source + byte * 8, table);
      } else {
        std::uint8_t padded[8] = {};
        for (std::size_t k = byte * 8; k < elements; ++k) padded[k - byte * 8] = source[k];
        maker.make(padded, table);
      }
    }
  }
}

template <std::size_t Rows>
void int_tile(const std::uint8_t* tables, std::size_t bytes, const std::uint8_t* panel,
              Wide (&wide)[Rows]) {
  for (std::size_t start = 0; start < bytes; start += kIntBytesUntilWide) {
    const std::size_t end = smaller(bytes, start + kIntBytesUntilWide);
    __m256i sums[Rows];
    for (auto& sum : sums) sum = _mm256_setzero_si256();
    for (std::size_t byte = start; byte < end; ++byte) {
      const __m256i x = load(panel + byte * kPanel);
      const __m256i low = low_nibbles(x);
      const __m256i high = high_nibbles(x);
#pragma GCC unroll 4
      for (std::size_t r = 0; r < Rows; ++r) {
        const std::uint8_t* table = tables + (r * bytes + byte) * 2 * 16;
        sums[r] = _mm256_add_epi8(sums[r], _mm256_shuffle_epi8(load_table(table), low));
        sums[r] = _mm256_add_epi8(sums[r], _mm256_shuffle_epi8(load_table(table + 16), high));
      }
    }
#pragma GCC unroll 4
    for (std::size_t r = 0; r < Rows; ++r) wide[r].add(sums[r]);
  }
}

template <std::size_t Rows>
void int_rows(const TableMaker& maker, const std::uint8_t* a, std::size_t elements,
              PanelOperand b, std::size_t row, Range range, std::uint8_t* tables,
              std::int32_t* out) {
  for (std::size_t begin = 0; begin < b.bytes; begin += kIntBytesUntilOut) {
    const std::size_t end = smaller(b.bytes, begin + kIntBytesUntilOut);
    make_tables(maker, a, elements, row, Rows, begin, end, tables);
    for (std::size_t p = range.panel_begin; p < range.panel_end; ++p) {
      Wide wide[Rows];
      int_tile<Rows>(tables, end - begin, b.data + (p * b.bytes + begin) * kPanel, wide);
      for (std::size_t r = 0; r < Rows; ++r) {
        accumulate(out + (row + r) * b.outputs + p * kPanel, rows_in_panel(p, b.outputs), wide[r],
                   2);
      }
    }
  }
}

// With bits t in {0, 1} and shifted integers u = a + offset:
//   sum a (2 t - 1) = 2 sum u t - sum a - 2 offset sum t,
// where sum u t is what the tables add up; the other two depend on the row or the output alone.
void ints_by_bits(const std::uint8_t* a, std::size_t elements, int offset, PanelOperand b,
                  std::int32_t* out, Range range) {
  const std::size_t first = range.panel_begin * kPanel;
  const std::size_t last = smaller(range.panel_end * kPanel, b.outputs);
  const Scratch<std::int32_t> of_output(last - first);
  for (std::size_t n = first; n < last; ++n) {
    const std::uint8_t* column = b.data + n / kPanel * b.bytes * kPanel + n % kPanel;
    std::int32_t ones = 0;
    for (std::size_t byte = 0; offset != 0 && byte < b.bytes; ++byte) {
      ones += __builtin_popcount(column[byte * kPanel]);
    }
    of_output.get()[n - first] = 2 * offset * ones;
  }
  for (std::size_t m = range.row_begin; m < range.row_end; ++m) {
    std::int32_t shifted = 0;
    for (std::size_t k = 0; k < elements; ++k) shifted += a[m * elements + k];
    const std::int32_t of_row = shifted - offset * static_cast<std::int32_t>(elements);
    std::int32_t* row = out + m * b.outputs;
    for (std::size_t n = first; n < last; ++n) row[n] = -of_row - of_output.get()[n - first];
  }
  const TableMaker maker;
  const Scratch<std::uint8_t> tables(kTileRows * smaller(b.bytes, kIntBytesUntilOut) * kPanel);
  std::size_t row = range.row_begin;
  for (; row + kTileRows <= range.row_end; row += kTileRows) {
    int_rows<kTileRows>(maker, a, elements, b, row, range, tables.get(), out);
  }
  for (; row < range.row_end; ++row) {
    int_rows<1>(maker, a, elements, b, row, range, tables.get(), out);
  }
}

}  // namespace

const Kernels avx2{bits_by_bits, ints_by_bits};

}  // namespace kernels::products
