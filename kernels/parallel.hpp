// Work for several threads: items one by one or in parts, or a product by rows or by panels.
#pragma once

#include <algorithm>
#include <type_traits>

#include "products.hpp"
#include "threads.hpp"

namespace kernels {

// Work that one thread does in some four microseconds: for less, another is not started. Starting
// one takes a microsecond or less, and longer where the processors are shared.
inline constexpr std::size_t kBitsMoved = std::size_t{1} << 15;
inline constexpr std::size_t kSumsNormalized = std::size_t{1} << 14;
inline constexpr std::size_t kWeightsLearnt = std::size_t{1} << 13;
inline constexpr std::size_t kScoresMade = std::size_t{1} << 8;
inline constexpr std::size_t kBitsMultiplied = std::size_t{1} << 21;

// How many of `threads` are worth starting for so much work.
inline int worth_starting(std::size_t work, std::size_t of_thread, int threads) {
  const std::size_t worth = std::max(std::size_t{1}, work / of_thread);
  return static_cast<int>(std::min(worth, static_cast<std::size_t>(threads)));
}

// Call work(i), or work(i, thread), for every i below `count`; each call writes what is its own, or
// its thread's. No more threads start than there are items: starting them takes microseconds.
template <typename Work>
void for_each(std::size_t count, int threads, Work work) {
  const DoItem do_item = [](void* own, std::size_t item, [[maybe_unused]] std::size_t thread) {
    auto& call = *static_cast<Work*>(own);
    if constexpr (std::is_invocable_v<Work&, std::size_t, std::size_t>) {
      call(item, thread);
    } else {
      call(item);
    }
  };
  share_items(count, static_cast<std::size_t>(threads), do_item, &work);
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

// Divide rows or panels among threads. Every thread gets its own slice of `out`, and the results
// are integers: neither the choice nor the number of threads changes them.
template <typename Work>
void divide(std::size_t rows, std::size_t panels, bool by_rows, int threads, Work work) {
  for_each_part(by_rows ? rows : panels, 1, threads, [&](std::size_t begin, std::size_t end) {
    work(by_rows ? products::Range{begin, end, 0, panels} : products::Range{0, rows, begin, end});
  });
}

// By rows while every thread gets whole tiles of them; by panels in a product of few rows (one, in
// prediction).
inline bool worth_dividing_rows(std::size_t rows, std::size_t panels, int threads) {
  constexpr std::size_t kRowsOfThread = 16;
  const auto wanted = static_cast<std::size_t>(threads);
  return rows >= kRowsOfThread * wanted || panels < wanted;
}

}  // namespace kernels
