// Work for several threads: items one by one or in parts, or a product by rows or by panels.
#pragma once

#include <omp.h>

#include <algorithm>

#include "products.hpp"

namespace kernels {

// Call work(i) for every i below `count`; each call writes what is its own.
// No more threads start than there are items: starting them takes microseconds.
template <typename Work>
void for_each(std::size_t count, int threads, Work work) {
  const int team = static_cast<int>(std::min(count, static_cast<std::size_t>(threads)));
#pragma omp parallel for num_threads(team)
  for (std::size_t i = 0; i < count; ++i) work(i);
}

// Call work(begin, end) for parts of `count` items, one a thread, that begin at multiples of
// `unit`.
template <typename Work>
void for_each_part(std::size_t count, std::size_t unit, int threads, Work work) {
  const auto wanted = static_cast<std::size_t>(threads);
  const std::size_t units = (count + unit - 1) / unit;
  const std::size_t share = (units + wanted - 1) / wanted * unit;
  for_each(wanted, threads, [&](std::size_t t) {
    const std::size_t begin = std::min(count, t * share);
    const std::size_t end = std::min(count, begin + share);
    if (begin < end) work(begin, end);
  });
}

// Rows are divided while every thread gets whole tiles of them; a product of few rows (one, in
// prediction) is divided by panels. Every thread gets its own slice of `out`, and the results
// are integers: neither the choice nor the number of threads changes them.
template <typename Work>
void divide(std::size_t rows, std::size_t panels, int threads, Work work) {
  constexpr std::size_t kRowsWorthDividing = 16;
  const auto wanted = static_cast<std::size_t>(threads);
  const bool by_rows = rows >= kRowsWorthDividing * wanted || panels < wanted;
  const std::size_t units = by_rows ? rows : panels;
  const std::size_t share = (units + wanted - 1) / wanted;
#pragma omp parallel for num_threads(threads) schedule(static, 1)
  for (std::size_t t = 0; t < wanted; ++t) {
    const std::size_t begin = std::min(units, t * share);
    const std::size_t end = std::min(units, begin + share);
    if (begin == end) continue;
    work(by_rows ? products::Range{begin, end, 0, panels}
                 : products::Range{0, rows, begin, end});
  }
}

}  // namespace kernels
