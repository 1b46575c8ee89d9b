// What ThreadSanitizer must find with `racy`, and must not without: see sanitize-training.
#include <vector>

#include "../kernels/parallel.hpp"

extern "C" int add(int racy) {
  // Enough items that the helper comes before they are done.
  constexpr std::size_t kCount = 1 << 22;
  int total = 0;
  std::vector<int> parts(kCount);
  kernels::for_each(kCount, 2, [&](std::size_t i) {
    parts[i] = static_cast<int>(i);
    if (racy != 0) total += parts[i];
  });
  // What one thread wrote in a loop, the other reads in the next.
  std::vector<int> others(kCount);
  kernels::for_each(kCount, 2, [&](std::size_t i) { others[i] = parts[kCount - 1 - i]; });
  return total + others[0];
}
