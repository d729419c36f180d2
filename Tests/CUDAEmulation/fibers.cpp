#include "fibers.h"

#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <ucontext.h>
#include <vector>

Fiber *current_fiber;
Index current_block, block_size, grid_size;
char *dynamic_shared;

namespace {

enum { STACK = 128 << 10 };

struct Place {
  Fiber fiber;
  ucontext_t context;
  jmp_buf there;
  std::unique_ptr<char[]> stack;
};

std::vector<std::unique_ptr<Place>> places;
std::vector<Exchange> exchanges;
jmp_buf back;
ucontext_t begin;
void (*body)(void *);
void *arguments;

[[noreturn]] void fail(const char *what) {
  std::fprintf(stderr, "CUDA emulation: %s\n", what);
  std::abort();
}

Place *place_of_current() { return reinterpret_cast<Place *>(current_fiber); }

void leave(Barrier barrier) {
  current_fiber->waits = barrier;
  if (!_setjmp(place_of_current()->there)) _longjmp(back, 1);
}

void live() {
  for (;;) {
    leave(Barrier::end);
    body(arguments);
    if (!current_fiber->copies.empty()) fail("a thread ended before the copies it began");
  }
}

void resume(Place &place) {
  current_fiber = &place.fiber;
  if (!_setjmp(back)) _longjmp(place.there, 1);
}

// Adds a fiber, which runs until its first `leave`.
void add_place() {
  auto place = std::make_unique<Place>();
  place->stack = std::make_unique<char[]>(STACK);
  getcontext(&place->context);
  place->context.uc_stack.ss_sp = place->stack.get();
  place->context.uc_stack.ss_size = STACK;
  place->context.uc_link = nullptr;
  makecontext(&place->context, live, 0);
  current_fiber = &place->fiber;
  if (!_setjmp(back)) swapcontext(&begin, &place->context);
  places.push_back(std::move(place));
}

// Runs a warp until all of its lanes wait for the block or have ended.
void run_warp(unsigned first, unsigned last) {
  for (;;) {
    unsigned at_warp = 0, at_block = 0, ended = 0;
    for (unsigned i = first; i < last; i++) {
      Fiber &fiber = places[i]->fiber;
      if (fiber.waits != Barrier::end) resume(*places[i]);
      at_warp += fiber.waits == Barrier::warp;
      at_block += fiber.waits == Barrier::block;
      ended += fiber.waits == Barrier::end;
    }
    if (at_warp == 0) {
      if (at_block > 0 && ended > 0) fail("some lanes of a warp ended before a barrier of the block");
      return;
    }
    if (at_warp != last - first) fail("some lanes of a warp did not come to its barrier");
  }
}

void run_block() {
  unsigned count = block_size.x * block_size.y * block_size.z;
  for (unsigned i = 0; i < count; i++) {
    Fiber &fiber = places[i]->fiber;
    fiber.number = i;
    fiber.index = {i % block_size.x, i / block_size.x % block_size.y, i / block_size.x / block_size.y};
    fiber.turn = 0;
    fiber.exchange = &exchanges[i / 32];
    fiber.waits = Barrier::none;
  }
  for (;;) {
    unsigned waiting = 0;
    for (unsigned first = 0; first < count; first += 32) {
      if (places[first]->fiber.waits != Barrier::end) run_warp(first, first + 32);
      waiting += places[first]->fiber.waits == Barrier::block;
    }
    if (waiting == 0) return;
    if (waiting != count / 32) fail("some warps of a block did not come to its barrier");
  }
}

}  // namespace

void wait_for_others(Barrier barrier) { leave(barrier); }

void run_grid(Index grid, Index block, unsigned shared_bytes, void (*kernel)(void *), void *with) {
  static long launches;
  unsigned count = block.x * block.y * block.z;
  if (count == 0 || count % 32 != 0 || count > 1024) fail("a block is not of whole warps");
  if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.y > 65535 || grid.z > 65535) fail("a grid has no blocks, or too many");
  while (places.size() < count) add_place();
  if (exchanges.size() < count / 32) exchanges.resize(count / 32);
  std::vector<char> shared(shared_bytes + 64);
  dynamic_shared = shared.data() + (64 - reinterpret_cast<unsigned long>(shared.data()) % 64) % 64;
  body = kernel;
  arguments = with;
  block_size = block;
  grid_size = grid;
  // Every other launch runs its blocks in reverse, since no result may depend on their order.
  bool reversed = launches++ % 2 == 1;
  long blocks = (long)grid.x * grid.y * grid.z;
  for (long i = 0; i < blocks; i++) {
    long number = reversed ? blocks - 1 - i : i;
    current_block = {unsigned(number % grid.x), unsigned(number / grid.x % grid.y), unsigned(number / grid.x / grid.y)};
    std::memset(dynamic_shared, 0xFF, shared_bytes);
    run_block();
  }
}
