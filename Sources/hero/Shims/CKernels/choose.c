#include "CKernels.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

extern const hero_kernels hero_kernels_base;
#if defined(__x86_64__)
extern const hero_kernels hero_kernels_avx2, hero_kernels_avx512, hero_kernels_avx512bf16, hero_kernels_amx;

// Returns whether this process may use AMX. The registers are large, so Linux (from 5.16 on) gives
// them only to processes that ask. It refuses if a thread's signal stack is too small for them.
static bool may_use_tiles(void) {
  enum { OSXSAVE = 1 << 27, AMX_BF16 = 1 << 22, AMX_TILE = 1 << 24, AMX_INT8 = 1 << 25 };
  enum { ARCH_REQ_XCOMP_PERM = 0x1023, XTILECFG = 17, XTILEDATA = 18 };
  unsigned a, b, c, d, needed = AMX_BF16 | AMX_TILE | AMX_INT8;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & OSXSAVE)) return false;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (d & needed) != needed) return false;
#if defined(SYS_arch_prctl)
  if (syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XTILEDATA) != 0) return false;
#else
  return false;
#endif
  // The state that the system saves between threads.
  unsigned saved, high, tiles = 1u << XTILECFG | 1u << XTILEDATA;
  __asm__ volatile("xgetbv" : "=a"(saved), "=d"(high) : "c"(0));
  if ((saved & tiles) != tiles) return false;
  // Some virtual machines report all of the above but have no shapes of tiles.
  if (!__get_cpuid_count(0x1D, 0, &a, &b, &c, &d) || a < 1) return false;
  __cpuid_count(0x1D, 1, a, b, c, d);
  unsigned bytes_of_row = b & 0xFFFF, registers = b >> 16, rows = c & 0xFFFF;
  return bytes_of_row >= 64 && registers >= 8 && rows >= 16;
}
#endif

int hero_kernels_all(const hero_kernels *sets[HERO_KERNEL_SETS]) {
  int count = 0;
  sets[count++] = &hero_kernels_base;
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !__builtin_cpu_supports("bmi2") ||
      !__builtin_cpu_supports("popcnt"))
    return count;
  sets[count++] = &hero_kernels_avx2;
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl"))
    return count;
  sets[count++] = &hero_kernels_avx512;
  if (!__builtin_cpu_supports("avx512bf16") || !__builtin_cpu_supports("avx512vnni")) return count;
  sets[count++] = &hero_kernels_avx512bf16;
  if (may_use_tiles()) sets[count++] = &hero_kernels_amx;
#endif
  return count;
}

const hero_kernels *hero_kernels_best(void) {
  const hero_kernels *sets[HERO_KERNEL_SETS];
  int count = hero_kernels_all(sets);
  const char *wanted = getenv("HERO_KERNELS");
  for (int i = 0; wanted && i < count; i++)
    if (strcmp(sets[i]->name, wanted) == 0) return sets[i];
  return sets[count - 1];
}

long hero_attention_scratch(long query_count, long key_count, long head) {
  long keys = hero_padded(key_count), width = hero_padded(head), queries = hero_padded(query_count);
  long most = query_count > key_count ? query_count : key_count;
  long floats = head * keys + 2 * most * width;
  long bf16 = queries * (width + keys) / 2 + (queries + keys) * width / 2;
  return (floats > bf16 ? floats : bf16) + 2 * query_count * keys;
}
