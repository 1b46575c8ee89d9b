// Products with NEON. Bits by bits are counted: 128 bits an instruction. For small integers by bits
// one instruction looks up the partial sums of four elements for 16 outputs.
#include "../products.hpp"

#include <algorithm>

#include "../aligned.hpp"
#include "sums.hpp"

namespace kernels::products {
namespace {

// Rows that are multiplied together: what is loaded of a panel serves all.
constexpr std::size_t kTileRows = 4;

// ---- bits by bits: the bits that differ ----------------------------------------------------

// A byte adds at most 8 to a count: 31 fit 8 bits. That is at most 248, of which 264 fit 16.
constexpr std::size_t kXorBytesUntilWide = 31;
constexpr std::size_t kXorBytesUntilOut = kXorBytesUntilWide * 264;

// Bytes [begin, end) of `Rows` rows by a panel.
template <std::size_t Rows>
void xor_rows(const std::uint8_t* a, std::size_t elements, PanelOperand b, std::size_t row,
              std::size_t panel, std::size_t begin, std::size_t end, Output out) {
  const std::uint8_t* from = a + row * b.bytes;
  const std::uint8_t* bits = b.data + panel * b.bytes * kPanel;
  Sums sums[Rows];
  for (std::size_t byte = begin; byte < end;) {
    const std::size_t until = std::min(end, byte + kXorBytesUntilWide);
    uint8x16_t counts[Rows][kHalves];
    for (auto& count : counts) count[0] = count[1] = vdupq_n_u8(0);
    for (; byte < until; ++byte) {
      const uint8x16_t x[] = {vld1q_u8(bits + byte * kPanel),
                              vld1q_u8(bits + byte * kPanel + kBytes)};
#pragma GCC unroll 4
      for (std::size_t r = 0; r < Rows; ++r) {
        const uint8x16_t eight = vld1q_dup_u8(from + r * b.bytes + byte);
#pragma GCC unroll 2
        for (std::size_t half = 0; half < kHalves; ++half) {
          counts[r][half] = vaddq_u8(counts[r][half], vcntq_u8(veorq_u8(x[half], eight)));
        }
      }
    }
    for (std::size_t r = 0; r < Rows; ++r) {
      for (std::size_t half = 0; half < kHalves; ++half) {
        sums[r].add_unsigned(half, counts[r][half]);
      }
    }
  }
  // The sum of K products is K less twice the bits that differ; K goes in with the first part.
  const int base = begin == 0 ? static_cast<int>(elements) : 0;
  for (std::size_t r = 0; r < Rows; ++r) {
    write(out, row + r, panel, sums[r], false, -2, base, begin > 0);
  }
}

void bits_by_bits(const std::uint8_t* a, std::size_t elements, PanelOperand b, Output out,
                  Range range) {
  for (std::size_t panel = range.panel_begin; panel < range.panel_end; ++panel) {
    for (std::size_t begin = 0; begin < b.bytes; begin += kXorBytesUntilOut) {
      const std::size_t end = std::min(b.bytes, begin + kXorBytesUntilOut);
      std::size_t row = range.row_begin;
      for (; row + kTileRows <= range.row_end; row += kTileRows) {
        xor_rows<kTileRows>(a, elements, b, row, panel, begin, end, out);
      }
      for (; row < range.row_end; ++row) {
        xor_rows<1>(a, elements, b, row, panel, begin, end, out);
      }
    }
  }
}

// ---- small integers by bits: tables of the partial sums of four elements -------------------

// A byte of bits is two lookups, in the tables of two groups of four elements.
constexpr std::size_t kGroup = 4;
constexpr std::size_t kTables = 2 * kBytes;
// Four rows' tables of this many bytes of bits are 16 KiB. Their sums, at most 120 a byte, fit 16
// bits.
constexpr std::size_t kIntBytesUntilOut = 128;

// Which of 16 bytes an entry takes for each of four elements: eight elements and their negatives.
struct Picks {
  uint8x16_t of[kGroup];

  Picks() {
    for (std::uint8_t j = 0; j < kGroup; ++j) {
      std::uint8_t entries[kBytes];
      for (std::uint8_t i = 0; i < kBytes; ++i) {
        entries[i] = static_cast<std::uint8_t>((i >> j & 1) != 0 ? j : 8 + j);
      }
      of[j] = vld1q_u8(entries);
    }
  }

  // The two tables of eight elements: entry i is the sum of those of which i has the bit, less the
  // others.
  void make_tables(int8x8_t elements, std::uint8_t* tables) const {
    const uint8x16_t first = vreinterpretq_u8_s8(vcombine_s8(elements, vneg_s8(elements)));
    const uint8x16_t second = vextq_u8(first, first, kGroup);
    // Turned by four bytes, the second group lies where the first did, and its negatives where
    // those did.
    for (const uint8x16_t x : {first, second}) {
      const uint8x16_t low = vaddq_u8(vqtbl1q_u8(x, of[0]), vqtbl1q_u8(x, of[1]));
      const uint8x16_t high = vaddq_u8(vqtbl1q_u8(x, of[2]), vqtbl1q_u8(x, of[3]));
      vst1q_u8(tables, vaddq_u8(low, high));
      tables += kBytes;
    }
  }
};

// Eight elements of a row from element k on, 0 past the last.
int8x8_t read_elements(IntRows a, std::size_t m, std::size_t k, std::size_t elements) {
  std::uint8_t tail[8] = {};
  const std::uint8_t* from = a.row(m) + k;
  if (k + sizeof(tail) > elements) {
    for (std::size_t i = 0; k + i < elements; ++i) tail[i] = from[i];
    from = tail;
  }
  const int8x8_t x = vreinterpret_s8_u8(vld1_u8(from));
  if (a.form == Form::low) return vand_s8(x, vdup_n_s8(15));
  return a.form == Form::high ? vshr_n_s8(x, 4) : x;
}

// BytesUntilWide: how many bytes of bits add up in 8 bits: one of integers of at most 15, two of
// those of at most 7.
template <std::size_t BytesUntilWide>
struct IntTiles : IntProduct {
  Picks picks;

  // `Count` bytes of a panel's bits, whose partial sums add up in 8 bits, by the tables of `Rows`
  // rows.
  template <std::size_t Count, std::size_t Rows>
  static void look_up(const std::uint8_t* tables, const std::uint8_t* bits, Sums (&sums)[Rows]) {
    uint8x16_t low[Count][kHalves], high[Count][kHalves];
    for (std::size_t i = 0; i < Count; ++i) {
      for (std::size_t half = 0; half < kHalves; ++half) {
        const uint8x16_t x = vld1q_u8(bits + i * kPanel + half * kBytes);
        low[i][half] = low_nibbles(x);
        high[i][half] = high_nibbles(x);
      }
    }
#pragma GCC unroll 4
    for (std::size_t r = 0; r < Rows; ++r) {
      const std::uint8_t* at = tables + r * kIntBytesUntilOut * kTables;
      uint8x16_t partial[] = {vdupq_n_u8(0), vdupq_n_u8(0)};
#pragma GCC unroll 2
      for (std::size_t i = 0; i < Count; ++i) {
        const uint8x16_t first = vld1q_u8(at + i * kTables);
        const uint8x16_t second = vld1q_u8(at + i * kTables + kBytes);
#pragma GCC unroll 2
        for (std::size_t half = 0; half < kHalves; ++half) {
          const uint8x16_t both =
              vaddq_u8(vqtbl1q_u8(first, low[i][half]), vqtbl1q_u8(second, high[i][half]));
          partial[half] = i == 0 ? both : vaddq_u8(partial[half], both);
        }
      }
#pragma GCC unroll 2
      for (std::size_t half = 0; half < kHalves; ++half) sums[r].add_signed(half, partial[half]);
    }
  }

  template <std::size_t Rows>
  static void multiply(const std::uint8_t* tables, std::size_t bytes, const std::uint8_t* bits,
                       Sums (&result)[Rows]) {
    // Not those that are returned: what is pointed to, GCC keeps in memory.
    Sums sums[Rows];
    std::size_t byte = 0;
    for (; byte + BytesUntilWide <= bytes; byte += BytesUntilWide) {
      look_up<BytesUntilWide>(tables + byte * kTables, bits + byte * kPanel, sums);
    }
    if (byte < bytes) look_up<1>(tables + byte * kTables, bits + byte * kPanel, sums);
    for (std::size_t r = 0; r < Rows; ++r) result[r] = sums[r];
  }

  template <std::size_t Rows>
  void rows(std::size_t row, std::uint8_t* tables) const {
    for (std::size_t begin = 0; begin < b.bytes; begin += kIntBytesUntilOut) {
      const std::size_t bytes = std::min(b.bytes, begin + kIntBytesUntilOut) - begin;
      for (std::size_t r = 0; r < Rows; ++r) {
        for (std::size_t byte = 0; byte < bytes; ++byte) {
          picks.make_tables(read_elements(a, row + r, (begin + byte) * 8, elements),
                            tables + (r * kIntBytesUntilOut + byte) * kTables);
        }
      }
      for (std::size_t p = range.panel_begin; p < range.panel_end; ++p) {
        Sums sums[Rows];
        multiply<Rows>(tables, bytes, b.data + (p * b.bytes + begin) * kPanel, sums);
        for (std::size_t r = 0; r < Rows; ++r) {
          write(out, row + r, p, sums[r], true, weight, 0, add || begin > 0);
        }
      }
    }
  }

  void run() const {
    const AlignedBytes tables(kTileRows * kIntBytesUntilOut * kTables);
    std::size_t row = range.row_begin;
    for (; row + kTileRows <= range.row_end; row += kTileRows) rows<kTileRows>(row, tables.get());
    for (; row < range.row_end; ++row) rows<1>(row, tables.get());
  }
};

void ints_by_bits(const IntProduct& product) {
  if (product.a.form == Form::low) {
    IntTiles<1>{product, {}}.run();
  } else {
    IntTiles<2>{product, {}}.run();
  }
}

}  // namespace

const Kernels neon{bits_by_bits, ints_by_bits};

}  // namespace kernels::products
