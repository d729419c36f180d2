// The threads of a block as fibers of one thread: each runs to its next barrier.
#pragma once

#include <vector>

struct Index { unsigned x, y, z; };

enum class Barrier { none, warp, block, end };

struct Exchange { unsigned char bytes[2][32][32]; };

struct Copy { void *to; const void *from; };

struct Fiber {
  Index index;
  unsigned number;
  unsigned turn;
  Barrier waits;
  Exchange *exchange;
  std::vector<Copy> copies;
};

extern Fiber *current_fiber;
extern Index current_block, block_size, grid_size;
extern char *dynamic_shared;

// Lets the other threads run until they reach the same barrier.
void wait_for_others(Barrier barrier);

// Runs a kernel over a grid.
void run_grid(Index grid, Index block, unsigned shared_bytes, void (*body)(void *), void *arguments);
