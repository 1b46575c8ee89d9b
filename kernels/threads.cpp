#include "threads.hpp"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace kernels {

namespace {

// How long a thread looks for what it waits for before it sleeps. Waking it takes some ten
// microseconds, and loops follow one another within fewer; on a busy machine, someone else could
// use the processor in the meantime.
constexpr std::chrono::microseconds kPatience{100};
constexpr int kLooksPerClock = 32;
// Two adjacent lines are fetched together.
constexpr std::size_t kLines = 128;

// A child of fork() has one thread only: the helpers of its parent are not there.
std::atomic<unsigned> forks{0};

void relax() {
#if defined(BINARY_KERNELS_X86)
  __builtin_ia32_pause();
#elif defined(BINARY_KERNELS_AARCH64)
  asm volatile("isb");
#endif
}

// Wait until `value` is as `ready` wants it, awake at first if `awake`. Who changes it notifies.
template <typename Ready>
void wait_until(const std::atomic<std::uint32_t>& value, bool awake, Ready ready) {
  using Clock = std::chrono::steady_clock;
  if (awake) {
    const auto end = Clock::now() + kPatience;
    do {
      for (int look = 0; look < kLooksPerClock; ++look) {
        if (ready(value.load(std::memory_order_acquire))) return;
        relax();
      }
    } while (Clock::now() < end);
  }
  for (std::uint32_t seen; !ready(seen = value.load(std::memory_order_acquire));) value.wait(seen);
}

// The items of one thread: whether someone does them.
struct alignas(kLines) Share {
  std::atomic<bool> taken;
};

class Helpers {
 public:
  Helpers() = default;
  Helpers(const Helpers&) = delete;
  Helpers& operator=(const Helpers&) = delete;

  ~Helpers() {
    stop_ = true;
    posted_.fetch_add(1);
    posted_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  bool busy() const { return busy_; }

  void share(std::size_t count, std::size_t threads, DoItem do_item, void* work) {
    team_ = start(threads);
    for (std::size_t t = 0; t < team_; ++t) shares_[t].taken.store(false, std::memory_order_relaxed);
    count_ = count;
    do_item_ = do_item;
    work_ = work;
    busy_ = true;
    present_.store(kOpen, std::memory_order_release);
    posted_.fetch_add(1);
    posted_.notify_all();
    do_items(0);
    // Who comes from now on has nothing to do; those who came finish what they began.
    present_.fetch_sub(kOpen);
    wait_until(present_, awake(), [](std::uint32_t present) { return present == 0; });
    busy_ = false;
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
  }

 private:
  static constexpr std::uint32_t kOpen = 1U << 31;

  // Have helpers for so many threads, if the system starts them; return how many threads there are.
  std::size_t start(std::size_t threads) {
    if (threads > size_) {
      auto shares = std::make_unique<Share[]>(threads);
      threads_.reserve(threads - 1);
      shares_ = std::move(shares);
      size_ = threads;
    }
    try {
      while (threads_.size() + 1 < threads) {
        threads_.emplace_back([this, thread = threads_.size() + 1] { help(thread); });
      }
    } catch (const std::system_error&) {
      // The threads that there are do all items.
    }
    return std::min(threads, threads_.size() + 1);
  }

  // Whether every thread has a processor of its own: then one that waits takes none from another.
  bool awake() const {
    static const unsigned processors = std::thread::hardware_concurrency();
    return team_ <= processors;
  }

  void help(std::size_t thread) {
    std::uint32_t seen = 0;
    bool patient = false;
    for (;;) {
      wait_until(posted_, patient, [&](std::uint32_t posted) { return posted != seen; });
      seen = posted_.load(std::memory_order_acquire);
      if (stop_) return;
      std::uint32_t present = present_.load(std::memory_order_acquire);
      do {
        if ((present & kOpen) == 0) break;
      } while (!present_.compare_exchange_weak(present, present + 1));
      if ((present & kOpen) == 0) continue;
      // While it is counted as present, the loop does not end.
      patient = thread < team_ && awake();
      if (thread < team_) do_items(thread);
      if (present_.fetch_sub(1) == 1) present_.notify_one();
    }
  }

  // Do the share of `thread`, and then those that nobody has taken.
  void do_items(std::size_t thread) {
    for (std::size_t t = 0; t < team_; ++t) {
      const std::size_t share = (thread + t) % team_;
      if (shares_[share].taken.exchange(true, std::memory_order_relaxed)) continue;
      try {
        const std::size_t end = count_ * (share + 1) / team_;
        for (std::size_t i = count_ * share / team_; i < end; ++i) do_item_(work_, i, thread);
      } catch (...) {
        const std::lock_guard<std::mutex> lock(failing_);
        if (!failure_) failure_ = std::current_exception();
      }
    }
  }

  // Of the loop that is being done: written before it is open, and read by those who are present.
  std::size_t team_ = 0;
  std::size_t count_ = 0;
  std::unique_ptr<Share[]> shares_;
  std::size_t size_ = 0;
  DoItem do_item_ = nullptr;
  void* work_ = nullptr;
  std::exception_ptr failure_;
  std::mutex failing_;
  bool busy_ = false;

  std::vector<std::thread> threads_;
  std::atomic<bool> stop_{false};
  // Changes with every loop: what helpers wait for.
  alignas(kLines) std::atomic<std::uint32_t> posted_{0};
  // How many helpers are in the loop, and whether more may come.
  alignas(kLines) std::atomic<std::uint32_t> present_{0};
};

// The helpers of this thread.
Helpers& helpers() {
  [[maybe_unused]] static const int registered =
      pthread_atfork(nullptr, nullptr, [] { forks.fetch_add(1); });
  thread_local std::unique_ptr<Helpers> own;
  thread_local unsigned generation = 0;
  if (own && generation != forks.load()) {
    // Their threads cannot be joined, so their memory is left to the process's end.
    static_cast<void>(own.release());
  }
  if (!own) {
    own = std::make_unique<Helpers>();
    generation = forks.load();
  }
  return *own;
}

}  // namespace

void share_items(std::size_t count, std::size_t threads, DoItem do_item, void* work) {
  const std::size_t team = std::min(count, threads);
  Helpers* own = team > 1 ? &helpers() : nullptr;
  if (own == nullptr || own->busy()) {
    for (std::size_t i = 0; i < count; ++i) do_item(work, i, 0);
    return;
  }
  own->share(count, team, do_item, work);
}

}  // namespace kernels
