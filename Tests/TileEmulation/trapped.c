#define _GNU_SOURCE

#include <stddef.h>

#include "TileEmulation.h"

#if defined(__x86_64__) && defined(__linux__)
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>

#include "tiles.h"

extern const hero_kernels hero_kernels_amx;

// Registers in the order in which instructions number them.
static const int REGISTERS[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                  REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

typedef struct {
  uint64_t start, step;  // of a tile's rows
  const uint8_t *end;    // of the instruction
} operand;

// Decodes an instruction's memory operand from the byte ModRM on. `extend_index` and `extend_base`
// are the upper bits of index and base.
static operand memory_operand(const uint8_t *at, const greg_t *registers, int extend_index, int extend_base) {
  int mod = at[0] >> 6, base = at[0] & 7;
  operand o = {0, 0, at + 1};
  if (base == 4) {
    int sib = *o.end++, index = (sib >> 3 & 7) | extend_index;
    base = sib & 7;
    if (index != 4) o.step = (uint64_t)registers[REGISTERS[index]] << (sib >> 6);
    if (base != 5 || mod != 0) o.start = (uint64_t)registers[REGISTERS[base | extend_base]];
  } else if (base != 5 || mod != 0) {
    o.start = (uint64_t)registers[REGISTERS[base | extend_base]];
  }
  bool isRelative = mod == 0 && (at[0] & 7) == 5;
  if (mod == 1) {
    o.start += (uint64_t)(int64_t)(int8_t)*o.end++;
  } else if (mod == 2 || (mod == 0 && base == 5)) {
    int32_t offset;
    memcpy(&offset, o.end, sizeof offset);
    o.end += sizeof offset;
    o.start += (uint64_t)(int64_t)offset;
  }
  if (isRelative) o.start += (uint64_t)o.end;
  return o;
}

// Emulates the instruction and moves past it. Returns false where it is no tile instruction.
static bool perform(greg_t *registers) {
  enum { NO_PREFIX = 0, PREFIX_66, PREFIX_F3, PREFIX_F2 };
  const uint8_t *at = (const uint8_t *)registers[REG_RIP];
  // VEX of three bytes, the map 0F38, 128 bits, W0.
  if (at[0] != 0xC4 || (at[1] & 0x1F) != 2 || (at[2] & 0x84) != 0) return false;
  int prefix = at[2] & 3, third = ~at[2] >> 3 & 15, code = at[3], form = at[4];
  int tile = (form >> 3 & 7) | (at[1] & 0x80 ? 0 : 8), second = (form & 7) | (at[1] & 0x20 ? 0 : 8);
  bool inMemory = form >> 6 != 3;
  operand o = {0, 0, at + 5};
  if (inMemory) o = memory_operand(at + 4, registers, at[1] & 0x40 ? 0 : 8, at[1] & 0x20 ? 0 : 8);
  if (code == 0x49 && inMemory && prefix == NO_PREFIX) {
    tile_configure((const void *)(o.start + o.step));
  } else if (code == 0x49 && form == 0xC0 && prefix == NO_PREFIX) {
    tile_release();
  } else if (code == 0x49 && !inMemory && prefix == PREFIX_F2) {
    tile_zero(tile);
  } else if (code == 0x4B && inMemory && prefix == PREFIX_F2) {
    tile_load(tile, (const void *)o.start, (long)o.step);
  } else if (code == 0x4B && inMemory && prefix == PREFIX_F3) {
    tile_store(tile, (void *)o.start, (long)o.step);
  } else if (code == 0x5C && !inMemory && prefix == PREFIX_F3) {
    tile_dot_bf16(tile, second, third);
  } else if (code == 0x5E && !inMemory && prefix == PREFIX_66) {
    tile_dot_bytes(tile, second, third);
  } else {
    return false;
  }
  registers[REG_RIP] = (greg_t)o.end;
  return true;
}

static struct sigaction earlier;

static void trap(int number, siginfo_t *info, void *context) {
  (void)number, (void)info;
  // Any other instruction traps again, with the handler that was there before.
  if (!perform(((ucontext_t *)context)->uc_mcontext.gregs)) sigaction(SIGILL, &earlier, NULL);
}

static void install(void) {
  struct sigaction action = {.sa_sigaction = trap, .sa_flags = SA_SIGINFO};
  sigemptyset(&action.sa_mask);
  sigaction(SIGILL, &action, &earlier);
}

const hero_kernels *hero_tiles_trapped(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  const hero_kernels *sets[HERO_KERNEL_SETS];
  // The set before AMX's has everything else that AMX's needs.
  if (strcmp(sets[hero_kernels_all(sets) - 1]->name, "avx512bf16") != 0) return NULL;
  pthread_once(&once, install);
  return &hero_kernels_amx;
}
#else
const hero_kernels *hero_tiles_trapped(void) { return NULL; }
#endif
