// What ThreadSanitizer must find with `racy`, and must not without: see sanitize-training.
extern "C" int add(int racy) {
  int total = 0;
  int parts[1000] = {};
#pragma omp parallel for num_threads(2)
  for (int i = 0; i < 1000; ++i) {
    parts[i] = i;
    if (racy) total += i;
  }
#pragma omp parallel for num_threads(2)
  for (int i = 0; i < 1000; ++i) parts[999 - i] += 1;
  return total + parts[0];
}
