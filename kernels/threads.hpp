// Threads that share the items of a loop.
#pragma once

#include <cstddef>

namespace kernels {

// Does item `item` on thread `thread`; 0 is the thread that called `share_items`.
using DoItem = void (*)(void* work, std::size_t item, std::size_t thread);

// Call do_item(work, i, thread) for every i below `count` on at most `threads` threads, and return
// when all calls have. The first exception that a call leaves is thrown here, when the other shares
// are done.
//
// Every thread has a share of neighbouring items, the same in every loop of so many items: what one
// loop left in its cache is there in the next. A thread that is done takes the share of one that
// has not come. So a thread that wakes late, or whose processor works for someone else, holds
// nobody up. With fewer threads than asked for, if the system starts no more, all items are done.
//
// A thread that calls this keeps its helpers for the next loop. A loop within a loop is not divided.
void share_items(std::size_t count, std::size_t threads, DoItem do_item, void* work);

}  // namespace kernels
