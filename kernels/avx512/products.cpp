// Products with AVX-512: 32 bits of 16 outputs in a register, sums in 32 bits.
//
// Bits by bits need no table here: vpopcntd counts in the lanes where the sums lie. Small integers
// by bits look up 64 entries at once, the partial sums of four groups of four elements, for 16
// outputs; vpdpbusd adds the four to the output's sum.
//
// | instruction      | does                            | Zen 5: latency, pipes | Ice Lake: latency, ports |
// |------------------|---------------------------------|-----------------------|--------------------------|
// | vpopcntd zmm     | bits set, 16 lanes              | 2, 2 of 4             | 3, p5                    |
// | vpermb zmm       | 64 lookups in 64 entries        | 4, 2 of 4             | 3, p5                    |
// | vpdpbusd zmm     | four products added to a sum    | 4, 2 of 4             | 5, p0                    |
// | vpermi2b zmm     | 64 lookups in 128 entries       | 5, 2 of 4             | 7, p5                    |
// | vpxord, vpaddd   | xor, add                        | 1, 4 of 4             | 1, p05                   |
#include "../products.hpp"

#include "tables.hpp"

namespace kernels::products {
namespace {

// Four rows by two panels (four registers): 16 sums, a word of every row and four operands, of 32
// registers; a load then serves four instructions.
constexpr std::size_t kTileRows = 4;

// ---- bits by bits ---------------------------------------------------------------------------

// Elements in a 32-bit lane, and lanes until the sums go out: what is read of two panels, 16 KiB,
// then stays in the first-level cache while every tile of rows reads it.
constexpr std::size_t kWordBytes = 4;
constexpr std::size_t kMaxWords = 64;

// Bytes [begin, begin + 4 words) of panels to (words, registers, 64): a lane an output. Bytes past
// the panels' last are 0.
template <std::size_t Panels>
void gather_words(PanelOperand b, std::size_t panel, std::size_t begin, std::size_t words,
                  std::uint8_t* out) {
  const __m512i columns[] = {columns_of_four(0), columns_of_four(16)};
  for (std::size_t p = 0; p < Panels; ++p) {
    const std::uint8_t* from = b.data + (panel + p) * b.bytes * kPanel;
    for (std::size_t word = 0; word < words; ++word) {
      const std::size_t byte = begin + word * kWordBytes;
      const std::size_t left = smaller((b.bytes - byte) * kPanel, 2 * kRegister);
      const std::uint8_t* at = from + byte * kPanel;
      const __m512i first = load_bytes(at, smaller(left, kRegister));
      const __m512i second =
          left > kRegister ? load_bytes(at + kRegister, left - kRegister) : _mm512_setzero_si512();
      std::uint8_t* to = out + (word * Panels + p) * kOfPanel * kRegister;
      for (std::size_t i = 0; i < kOfPanel; ++i) {
        _mm512_store_si512(to + i * kRegister,
                           _mm512_permutex2var_epi8(first, columns[i], second));
      }
    }
  }
}

template <std::size_t Rows, std::size_t Registers>
void count_word(const __m512i (&words)[Rows], const std::uint8_t* at,
                __m512i (&counts)[Rows][Registers]) {
#pragma GCC unroll 4
  for (std::size_t v = 0; v < Registers; ++v) {
    const __m512i b = held(_mm512_load_si512(at + v * kRegister));
#pragma GCC unroll 4
    for (std::size_t r = 0; r < Rows; ++r) {
      const __m512i differ = _mm512_popcnt_epi32(_mm512_xor_si512(words[r], b));
      counts[r][v] = _mm512_add_epi32(counts[r][v], differ);
    }
  }
}

// Rows of bits from byte `begin` on, `bytes` of each, against words of panels.
template <std::size_t Rows, std::size_t Panels>
void xor_tile(const std::uint8_t* a, std::size_t stride, std::size_t bytes,
              const std::uint8_t* words, int base, bool add, Output out, std::size_t row,
              std::size_t panel) {
  constexpr std::size_t kRegisters = Panels * kOfPanel;
  __m512i counts[Rows][kRegisters];
  for (auto& of_row : counts) {
    for (auto& count : of_row) count = _mm512_setzero_si512();
  }
  __m512i of_rows[Rows];
  std::size_t byte = 0;
  for (; byte + kWordBytes <= bytes; byte += kWordBytes, words += kRegisters * kRegister) {
#pragma GCC unroll 4
    for (std::size_t r = 0; r < Rows; ++r) of_rows[r] = held(broadcast_word(a + r * stride + byte));
    count_word<Rows, kRegisters>(of_rows, words, counts);
  }
  if (byte < bytes) {
    for (std::size_t r = 0; r < Rows; ++r) {
      std::uint8_t tail[kWordBytes] = {};
      __builtin_memcpy(tail, a + r * stride + byte, bytes - byte);
      of_rows[r] = broadcast_word(tail);
    }
    count_word<Rows, kRegisters>(of_rows, words, counts);
  }
#pragma GCC unroll 4
  for (std::size_t r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (std::size_t v = 0; v < kRegisters; ++v) {
      const std::size_t at = (row + r) * out.row_stride +
                             (panel + v / kOfPanel) * out.panel_stride + v % kOfPanel * 16;
      // The sum of K products is K less twice the bits that differ.
      const __m512i twice = _mm512_slli_epi32(counts[r][v], 1);
      write_sums(out, at, _mm512_sub_epi32(_mm512_set1_epi32(base), twice), add);
    }
  }
}

template <std::size_t Panels>
void xor_panels(const std::uint8_t* a, std::size_t elements, PanelOperand b, std::size_t panel,
                Range range, std::uint8_t* words, Output out) {
  for (std::size_t begin = 0; begin < b.bytes; begin += kMaxWords * kWordBytes) {
    const std::size_t bytes = smaller(b.bytes - begin, kMaxWords * kWordBytes);
    gather_words<Panels>(b, panel, begin, (bytes + kWordBytes - 1) / kWordBytes, words);
    // K goes in with the first part.
    const int base = begin == 0 ? static_cast<int>(elements) : 0;
    std::size_t row = range.row_begin;
    for (; row + kTileRows <= range.row_end; row += kTileRows) {
      xor_tile<kTileRows, Panels>(a + row * b.bytes + begin, b.bytes, bytes, words, base, begin > 0,
                                  out, row, panel);
    }
    for (; row < range.row_end; ++row) {
      xor_tile<1, Panels>(a + row * b.bytes + begin, b.bytes, bytes, words, base, begin > 0, out,
                          row, panel);
    }
  }
}

void bits_by_bits(const std::uint8_t* a, std::size_t elements, PanelOperand b, Output out,
                  Range range) {
  const Scratch<std::uint8_t> words(kMaxWords * 2 * kOfPanel * kRegister);
  std::size_t panel = range.panel_begin;
  for (; panel + 2 <= range.panel_end; panel += 2) {
    xor_panels<2>(a, elements, b, panel, range, words.get(), out);
  }
  if (panel < range.panel_end) xor_panels<1>(a, elements, b, panel, range, words.get(), out);
}

// ---- small integers by bits -----------------------------------------------------------------

// Four groups of four elements share a register of tables; they are two bytes of bits.
constexpr std::size_t kQuadElements = 16;
constexpr std::size_t kQuadBytes = 2;
// Until the sums go out: the indices of two panels are then 16 KiB, as above, and the tables of
// kTableRows rows 128 KiB, a part of the second-level cache.
constexpr std::size_t kMaxQuads = 64;
constexpr std::size_t kTableRows = 32;

// The tables of 32 elements, of absolute value at most 15, in two registers: entry 16 g + i is the
// sum of elements 4 g to 4 g + 3, those added whose bit of i is set and the others subtracted.
struct Tables {
  __m512i even, odd;
  FromPairs from_pairs;

  Tables() {
    alignas(kRegister) std::uint8_t of_even[kRegister], of_odd[kRegister];
    for (std::uint8_t at = 0; at < kRegister; ++at) {
      // The negative of an element lies 32 bytes behind it.
      const auto pair = static_cast<std::uint8_t>(at / 4 * 2);
      of_even[at] = static_cast<std::uint8_t>(pair + ((at & 1) != 0 ? 0 : 32));
      of_odd[at] = static_cast<std::uint8_t>(pair + 1 + ((at & 2) != 0 ? 0 : 32));
    }
    even = load_wide(of_even);
    odd = load_wide(of_odd);
  }

  void make(__m256i elements, std::uint8_t* tables) const {
    const __m256i negative = _mm256_sub_epi8(_mm256_setzero_si256(), elements);
    const __m512i both = _mm512_inserti64x4(_mm512_castsi256_si512(elements), negative, 1);
    from_pairs.make(_mm512_add_epi8(_mm512_permutexvar_epi8(even, both),
                                    _mm512_permutexvar_epi8(odd, both)),
                    tables);
  }
};

// 32 elements from `first` on of a row of `count`, 0 past the last, as signed bytes.
__m256i elements_of(const std::uint8_t* row, Form form, std::size_t first, std::size_t count) {
  const std::size_t left = smaller(count - first, 32);
  const __mmask32 exist = left < 32 ? (1U << left) - 1 : ~0U;
  __m256i x = _mm256_maskz_loadu_epi8(exist, row + first);
  const __m256i nibble = _mm256_set1_epi8(15);
  if (form == Form::low) x = _mm256_and_si256(x, nibble);
  if (form == Form::high) {
    const __m256i eight = _mm256_set1_epi8(8);
    x = _mm256_xor_si256(_mm256_and_si256(_mm256_srli_epi16(x, 4), nibble), eight);
    x = _mm256_sub_epi8(x, eight);
  }
  return x;
}

// Where the entries of outputs lie: (quads, registers, 64), a byte for each group of four.
template <std::size_t Panels>
void gather_indices(PanelOperand b, std::size_t panel, std::size_t begin, std::size_t quads,
                    std::uint8_t* out) {
  const __m512i nibble = _mm512_set1_epi8(15);
  // A register has the lower nibbles of two bytes, which are groups 0 and 2; another the upper ones.
  constexpr int kStarts = 0x60204000;
  const __m512i columns[] = {columns_of_four(0, kStarts), columns_of_four(16, kStarts)};
  const __m512i tables = _mm512_set1_epi32(0x30201000);
  for (std::size_t p = 0; p < Panels; ++p) {
    const std::uint8_t* from = b.data + (panel + p) * b.bytes * kPanel;
    for (std::size_t quad = 0; quad < quads; ++quad) {
      const std::size_t byte = begin + quad * kQuadBytes;
      const __m512i x =
          load_bytes(from + byte * kPanel, smaller((b.bytes - byte) * kPanel, kRegister));
      const __m512i low = _mm512_and_si512(x, nibble);
      const __m512i high = _mm512_and_si512(_mm512_srli_epi16(x, 4), nibble);
      std::uint8_t* to = out + (quad * Panels + p) * kOfPanel * kRegister;
      for (std::size_t i = 0; i < kOfPanel; ++i) {
        const __m512i nibbles = _mm512_permutex2var_epi8(low, columns[i], high);
        _mm512_store_si512(to + i * kRegister, _mm512_or_si512(nibbles, tables));
      }
    }
  }
}

template <std::size_t Rows, std::size_t Panels>
void int_tile(const std::uint8_t* tables, std::size_t quads, const std::uint8_t* indices,
              int weight, bool add, Output out, std::size_t row, std::size_t panel) {
  constexpr std::size_t kRegisters = Panels * kOfPanel;
  const __m512i ones = _mm512_set1_epi8(1);
  __m512i sums[Rows][kRegisters];
  for (auto& of_row : sums) {
    for (auto& sum : of_row) sum = _mm512_setzero_si512();
  }
  for (std::size_t quad = 0; quad < quads; ++quad) {
    __m512i of_rows[Rows];
#pragma GCC unroll 4
    for (std::size_t r = 0; r < Rows; ++r) {
      of_rows[r] = held(_mm512_load_si512(tables + (r * kMaxQuads + quad) * kRegister));
    }
#pragma GCC unroll 4
    for (std::size_t v = 0; v < kRegisters; ++v) {
      const __m512i at = held(_mm512_load_si512(indices + (quad * kRegisters + v) * kRegister));
#pragma GCC unroll 4
      for (std::size_t r = 0; r < Rows; ++r) {
        add_products(sums[r][v], ones, _mm512_permutexvar_epi8(at, of_rows[r]));
      }
    }
  }
  const __m512i weights = _mm512_set1_epi32(weight);
#pragma GCC unroll 4
  for (std::size_t r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (std::size_t v = 0; v < kRegisters; ++v) {
      const std::size_t at = (row + r) * out.row_stride +
                             (panel + v / kOfPanel) * out.panel_stride + v % kOfPanel * 16;
      write_sums(out, at, _mm512_mullo_epi32(sums[r][v], weights), add);
    }
  }
}

struct IntTiles : IntProduct {
  Tables maker;

  template <std::size_t Panels>
  void panels(std::size_t row, std::size_t rows, std::size_t panel, std::size_t begin,
              std::size_t quads, const std::uint8_t* tables, std::uint8_t* indices) const {
    gather_indices<Panels>(b, panel, begin * kQuadBytes, quads, indices);
    const bool added = add || begin > 0;
    std::size_t r = 0;
    for (; r + kTileRows <= rows; r += kTileRows) {
      int_tile<kTileRows, Panels>(tables + r * kMaxQuads * kRegister, quads, indices, weight,
                                  added, out, row + r, panel);
    }
    for (; r < rows; ++r) {
      int_tile<1, Panels>(tables + r * kMaxQuads * kRegister, quads, indices, weight, added, out,
                          row + r, panel);
    }
  }

  void run() const {
    const Scratch<std::uint8_t> tables(kTableRows * kMaxQuads * kRegister);
    const Scratch<std::uint8_t> indices(kMaxQuads * 2 * kOfPanel * kRegister);
    const std::size_t all_quads = (elements + kQuadElements - 1) / kQuadElements;
    for (std::size_t row = range.row_begin; row < range.row_end; row += kTableRows) {
      const std::size_t rows = smaller(kTableRows, range.row_end - row);
      prefetch(a, row + rows, smaller(row + rows + kTableRows, range.row_end));
      for (std::size_t begin = 0; begin < all_quads; begin += kMaxQuads) {
        const std::size_t quads = smaller(kMaxQuads, all_quads - begin);
        for (std::size_t r = 0; r < rows; ++r) {
          std::uint8_t* to = tables.get() + r * kMaxQuads * kRegister;
          // Two quads at a time: with an odd number, the last table is of zeros.
          for (std::size_t quad = 0; quad < quads; quad += 2) {
            maker.make(elements_of(a.row(row + r), a.form, (begin + quad) * kQuadElements, elements),
                       to + quad * kRegister);
          }
        }
        std::size_t panel = range.panel_begin;
        for (; panel + 2 <= range.panel_end; panel += 2) {
          panels<2>(row, rows, panel, begin, quads, tables.get(), indices.get());
        }
        if (panel < range.panel_end) {
          panels<1>(row, rows, panel, begin, quads, tables.get(), indices.get());
        }
      }
    }
  }
};

void ints_by_bits(const IntProduct& product) {
  IntTiles{product, {}}.run();
}

}  // namespace

const Kernels avx512{bits_by_bits, ints_by_bits};

}  // namespace kernels::products
