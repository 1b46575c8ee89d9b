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

#include "lookup.hpp"

namespace kernels::products {
namespace {

__m256i low_nibbles(__m256i x) { return _mm256_and_si256(x, _mm256_set1_epi8(15)); }

__m256i high_nibbles(__m256i x) { return low_nibbles(_mm256_srli_epi16(x, 4)); }

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

// Where the tables of a row's nibbles lie: 16 times each, the lower ones and then the upper ones.
// Extracting them once for two panels, not at each lookup, saves a quarter of all instructions.
void table_offsets(const std::uint8_t* row, std::size_t bytes, std::uint8_t* offsets) {
  std::uint8_t* upper = offsets + bytes;
  std::size_t byte = 0;
  for (; byte + kPanel <= bytes; byte += kPanel) {
    const __m256i x = load(row + byte);
    const __m256i nibble = _mm256_set1_epi8(15);
    const __m256i low = _mm256_slli_epi16(_mm256_and_si256(x, nibble), 4);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(offsets + byte), low);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(upper + byte), _mm256_andnot_si256(nibble, x));
  }
  for (; byte < bytes; ++byte) {
    offsets[byte] = static_cast<std::uint8_t>(row[byte] << 4);
    upper[byte] = row[byte] & 0xF0;
  }
}

template <std::size_t Rows, std::size_t Panels, typename Put>
void xor_tile(const std::uint8_t* offsets, std::size_t bytes, const std::uint8_t* index,
              Put put) {
  const std::uint8_t* tables = kXorTables.count[0];
  Wide wide[Rows][Panels];
#pragma GCC unroll 4
  for (std::size_t r = 0; r < Rows; ++r) {
#pragma GCC unroll 2
    for (std::size_t p = 0; p < Panels; ++p) wide[r][p].clear();
  }
  std::size_t byte = 0;
  while (byte < bytes) {
    const std::size_t end = smaller(bytes, byte + kXorBytesUntilWide);
    __m256i sums[Rows][Panels];
    for (auto& row : sums) {
      for (auto& sum : row) sum = _mm256_setzero_si256();
    }
    for (; byte < end; ++byte, index += 2 * Panels * kPanel) {
      for (std::size_t half = 0; half < 2; ++half) {
        __m256i at[Panels];
        for (std::size_t p = 0; p < Panels; ++p) {
          at[p] = load(index + (half * Panels + p) * kPanel);
        }
#pragma GCC unroll 4
        for (std::size_t r = 0; r < Rows; ++r) {
          const __m256i table = load_table(tables + offsets[(2 * r + half) * bytes + byte]);
#pragma GCC unroll 2
          for (std::size_t p = 0; p < Panels; ++p) {
            sums[r][p] =
                in_place(_mm256_add_epi8(sums[r][p], _mm256_shuffle_epi8(table, at[p])));
          }
        }
      }
    }
    for (std::size_t r = 0; r < Rows; ++r) {
      for (std::size_t p = 0; p < Panels; ++p) wide[r][p].add(sums[r][p]);
    }
  }
#pragma GCC unroll 4
  for (std::size_t r = 0; r < Rows; ++r) {
#pragma GCC unroll 2
    for (std::size_t p = 0; p < Panels; ++p) put(r, p, wide[r][p]);
  }
}

// What a call works in: the split nibbles of its panels, and the offsets of a tile's rows.
struct XorScratch {
  Scratch<std::uint8_t> indices;
  Scratch<std::uint8_t> offsets;

  explicit XorScratch(std::size_t bytes)
      : indices(bytes * 4 * kPanel), offsets(bytes * 2 * kTileRows) {}
};

template <std::size_t Rows, std::size_t Panels>
void xor_rows(const std::uint8_t* a, std::size_t elements, PanelOperand b, std::size_t row,
              std::size_t panel, std::size_t begin, std::size_t end, const XorScratch& scratch,
              Output out) {
  const std::size_t bytes = end - begin;
  for (std::size_t r = 0; r < Rows; ++r) {
    table_offsets(a + (row + r) * b.bytes + begin, bytes, scratch.offsets.get() + r * 2 * bytes);
  }
  // The sum of K products is K less twice the bits that differ; K goes in with the first part.
  const int base = begin == 0 ? static_cast<int>(elements) : 0;
  const auto put = [&](std::size_t r, std::size_t p, const Wide& wide) {
    write(out, row + r, panel + p, wide, -2, base, begin > 0);
  };
  xor_tile<Rows, Panels>(scratch.offsets.get(), bytes, scratch.indices.get(), put);
}

template <std::size_t Panels>
void xor_panels(const std::uint8_t* a, std::size_t elements, PanelOperand b, std::size_t panel,
                Range range, const XorScratch& scratch, Output out) {
  const std::size_t step = xor_step(range);
  for (std::size_t begin = 0; begin < b.bytes; begin += step) {
    const std::size_t end = smaller(b.bytes, begin + step);
    split_panels<Panels>(b, panel, begin, end, scratch.indices.get());
    std::size_t row = range.row_begin;
    for (; row + kTileRows <= range.row_end; row += kTileRows) {
      xor_rows<kTileRows, Panels>(a, elements, b, row, panel, begin, end, scratch, out);
    }
    for (; row < range.row_end; ++row) {
      xor_rows<1, Panels>(a, elements, b, row, panel, begin, end, scratch, out);
    }
  }
}

void bits_by_bits(const std::uint8_t* a, std::size_t elements, PanelOperand b, Output out,
                  Range range) {
  const std::size_t bytes = smaller(b.bytes, xor_step(range));
  const XorScratch scratch(bytes);
  std::size_t panel = range.panel_begin;
  for (; panel + 2 <= range.panel_end; panel += 2) {
    xor_panels<2>(a, elements, b, panel, range, scratch, out);
  }
  if (panel < range.panel_end) xor_panels<1>(a, elements, b, panel, range, scratch, out);
}

// ---- small integers by bits: tables of the partial sums of four elements -------------------

// Two bytes of bits are four lookups. Partial sums are at most 60, four fit in a byte. Those of
// signed integers lie within +-28, and 32 is added to them.
constexpr std::size_t kIntBytesUntilWide = 2;
constexpr char kMiddle = 32;
// A widening adds at most 240 to 16 bits. Four rows' tables of this many bytes of bits also
// fill 24 KiB, which leaves room in the first-level cache.
constexpr std::size_t kIntBytesUntilOut = 192;

// Unsigned integers are counted where the bit is set: sum a (2 t - 1) = 2 sum a t - sum a.
// Signed ones are added or subtracted, which needs no correction that depends on the row.
template <bool Signed>
struct Tables {
  __m256i pick[4];
  __m256i second;
  __m256i middle = _mm256_set1_epi8(Signed ? kMiddle : 0);

  // Entry i of a group's table picks element j if bit j of i is set, else byte 8 + j of the
  // register: its negative, or 0. The upper half of the register makes the second group.
  Tables() {
    alignas(32) std::uint8_t pattern[kPanel];
    for (std::uint8_t j = 0; j < 4; ++j) {
      for (std::uint8_t i = 0; i < kPanel; ++i) {
        const bool set = (i % 16 >> j & 1) != 0;
        pattern[i] = static_cast<std::uint8_t>(j + (i < 16 ? 0 : 4) + (set ? 0 : 8));
      }
      pick[j] = load(pattern);
    }
    second = _mm256_set_epi64x(Signed ? -1 : 0, 0x0101010101010101LL, Signed ? -1 : 0,
                               0x0101010101010101LL);
  }

  // Eight elements to two tables of 16.
  void make(const std::uint8_t* elements, std::uint8_t* tables) const {
    long long word;
    __builtin_memcpy(&word, elements, sizeof(word));
    const __m256i x = _mm256_sign_epi8(_mm256_set1_epi64x(word), second);
    const __m256i low = _mm256_add_epi8(_mm256_shuffle_epi8(x, pick[0]),
                                        _mm256_shuffle_epi8(x, pick[1]));
    const __m256i high = _mm256_add_epi8(_mm256_shuffle_epi8(x, pick[2]),
                                         _mm256_shuffle_epi8(x, pick[3]));
    _mm256_store_si256(reinterpret_cast<__m256i*>(tables),
                       _mm256_add_epi8(middle, _mm256_add_epi8(low, high)));
  }
};

// Elements [first, first + count) of row m as bytes, 0 past the row's `elements`.
void expand(IntRows a, std::size_t m, std::size_t first, std::size_t count, std::size_t elements,
            std::uint8_t* out) {
  const std::uint8_t* row = a.row(m);
  const std::size_t last = smaller(elements, first + count);
  for (std::size_t k = first; k < last; k += 32) {
    alignas(32) std::uint8_t tail[32] = {};
    const std::uint8_t* from = row + k;
    if (k + 32 > last) {
      __builtin_memcpy(tail, from, last - k);
      from = tail;
    }
    __m256i x = load(from);
    if (a.form == Form::low) x = low_nibbles(x);
    if (a.form == Form::high) {
      const __m256i eight = _mm256_set1_epi8(8);
      x = _mm256_xor_si256(high_nibbles(x), eight);
      x = _mm256_sub_epi8(x, eight);
    }
    _mm256_store_si256(reinterpret_cast<__m256i*>(out + (k - first)), x);
  }
  for (std::size_t i = last - first; i < count; ++i) out[i] = 0;
}

int sum_of(const std::uint8_t* elements, std::size_t count) {
  int sum = 0;
  for (std::size_t i = 0; i < count; ++i) sum += elements[i];
  return sum;
}

// Look up a byte of bits, two groups of four, in the tables of `Rows` rows.
template <std::size_t Rows>
void look_up(const std::uint8_t* tables, std::size_t row_stride, __m256i bits,
             __m256i (&sums)[Rows]) {
  const __m256i low = low_nibbles(bits);
  const __m256i high = high_nibbles(bits);
#pragma GCC unroll 4
  for (std::size_t r = 0; r < Rows; ++r) {
    const std::uint8_t* table = tables + r * row_stride;
    sums[r] = _mm256_add_epi8(sums[r], _mm256_shuffle_epi8(load_table(table), low));
    sums[r] = _mm256_add_epi8(sums[r], _mm256_shuffle_epi8(load_table(table + 16), high));
  }
}

// put(r, wide): takes the counts of row r, where they are: through memory, they would take as long as
// a short product.
template <std::size_t Rows, typename Put>
void int_tile(const std::uint8_t* tables, std::size_t bytes, const std::uint8_t* panel, Put put) {
  const std::size_t stride = bytes * kPanel;
  Wide wide[Rows];
#pragma GCC unroll 4
  for (std::size_t r = 0; r < Rows; ++r) wide[r].clear();
  const auto widen_after = [&](std::size_t byte, std::size_t count) {
    __m256i sums[Rows];
    for (auto& sum : sums) sum = _mm256_setzero_si256();
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t at = (byte + i) * kPanel;
      look_up<Rows>(tables + at, stride, load(panel + at), sums);
    }
#pragma GCC unroll 4
    for (std::size_t r = 0; r < Rows; ++r) wide[r].add(sums[r]);
  };
  std::size_t byte = 0;
  for (; byte + kIntBytesUntilWide <= bytes; byte += kIntBytesUntilWide) {
    widen_after(byte, kIntBytesUntilWide);
  }
  if (byte < bytes) widen_after(byte, bytes - byte);
#pragma GCC unroll 4
  for (std::size_t r = 0; r < Rows; ++r) put(r, wide[r]);
}

// The panels of four rows of a short product: their sums stay in registers from the first lookup to
// the last. In a convolution's input gradient, what a general tile does besides takes twice as long.
template <std::size_t Bytes>
void short_panels(const std::uint8_t* tables, PanelOperand b, std::size_t row, Output out,
                  Range range) {
  constexpr std::size_t kRows = 4, kStride = Bytes * kPanel;
  static_assert(Bytes % kIntBytesUntilWide == 0);
  const __m256i base = _mm256_set1_epi16(-2 * kMiddle * static_cast<short>(Bytes));
  for (std::size_t p = range.panel_begin; p < range.panel_end; ++p) {
    const std::uint8_t* panel = b.data + p * kStride;
    Wide wide[kRows];
#pragma GCC unroll 4
    for (std::size_t r = 0; r < kRows; ++r) wide[r].clear();
#pragma GCC unroll 4
    for (std::size_t byte = 0; byte < Bytes; byte += kIntBytesUntilWide) {
      __m256i sums[kRows];
#pragma GCC unroll 4
      for (std::size_t r = 0; r < kRows; ++r) sums[r] = _mm256_setzero_si256();
#pragma GCC unroll 2
      for (std::size_t i = 0; i < kIntBytesUntilWide; ++i) {
        const std::size_t at = (byte + i) * kPanel;
        look_up<kRows>(tables + at, kStride, load(panel + at), sums);
      }
#pragma GCC unroll 4
      for (std::size_t r = 0; r < kRows; ++r) wide[r].add(sums[r]);
    }
    auto* to = static_cast<std::int16_t*>(out.data) + row * out.row_stride + p * out.panel_stride;
#pragma GCC unroll 4
    for (std::size_t r = 0; r < kRows; ++r, to += out.row_stride) {
      __m256i first, second;
      wide[r].in_order(first, second);
      auto* halves = reinterpret_cast<__m256i*>(to);
      _mm256_storeu_si256(halves, _mm256_add_epi16(first, base));
      _mm256_storeu_si256(halves + 1, _mm256_add_epi16(second, base));
    }
  }
}

template <bool Signed>
struct IntTiles : IntProduct {
  Tables<Signed> maker;

  template <std::size_t Rows>
  void rows(std::size_t row, std::uint8_t* tables, std::uint8_t* expanded) const {
    for (std::size_t begin = 0; begin < b.bytes; begin += kIntBytesUntilOut) {
      const std::size_t bytes = smaller(b.bytes, begin + kIntBytesUntilOut) - begin;
      int base[Rows];
      for (std::size_t r = 0; r < Rows; ++r) {
        expand(a, row + r, begin * 8, bytes * 8, elements, expanded);
        base[r] = Signed ? -2 * kMiddle * static_cast<int>(bytes) : -sum_of(expanded, bytes * 8);
        for (std::size_t byte = 0; byte < bytes; ++byte) {
          maker.make(expanded + byte * 8, tables + (r * bytes + byte) * 2 * 16);
        }
      }
      if (Signed && Rows == kTileRows && weight == 1 && !add && !out.wide) {
        if (b.bytes == 4) return short_panels<4>(tables, b, row, out, range);
        if (b.bytes == 8) return short_panels<8>(tables, b, row, out, range);
      }
      for (std::size_t p = range.panel_begin; p < range.panel_end; ++p) {
        const std::uint8_t* panel = b.data + (p * b.bytes + begin) * kPanel;
        int_tile<Rows>(tables, bytes, panel, [&](std::size_t r, const Wide& wide) {
          write(out, row + r, p, wide, Signed ? weight : 2 * weight, weight * base[r],
                add || begin > 0);
        });
      }
    }
  }

  void run() const {
    const std::size_t bytes = smaller(b.bytes, kIntBytesUntilOut);
    const Scratch<std::uint8_t> tables(kTileRows * bytes * kPanel);
    const Scratch<std::uint8_t> expanded(bytes * 8 + kPanel);
    std::size_t row = range.row_begin;
    for (; row + kTileRows <= range.row_end; row += kTileRows) {
      prefetch(a, row + kTileRows, smaller(row + 2 * kTileRows, range.row_end));
      rows<kTileRows>(row, tables.get(), expanded.get());
    }
    for (; row < range.row_end; ++row) rows<1>(row, tables.get(), expanded.get());
  }
};

void ints_by_bits(const IntProduct& product) {
  if (product.a.form == Form::small || product.a.form == Form::high) {
    IntTiles<true>{product, {}}.run();
  } else {
    IntTiles<false>{product, {}}.run();
  }
}

}  // namespace

const Kernels avx2{bits_by_bits, ints_by_bits};

}  // namespace kernels::products
