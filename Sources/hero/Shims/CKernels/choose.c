#include "CKernels.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

extern const hero_kernels hero_kernels_base;
#if defined(__x86_64__)
extern const hero_kernels hero_kernels_avx2, hero_kernels_avx512, hero_kernels_avx512bf16;
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
  if (__builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vnni"))
    sets[count++] = &hero_kernels_avx512bf16;
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
