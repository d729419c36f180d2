#define _GNU_SOURCE
#include <sched.h>

#include "CMPI.h"

int hero_allowed_cores(int *cores, int most) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set)) return -1;
  int count = 0;
  for (int core = 0; core < CPU_SETSIZE && count < most; core++)
    if (CPU_ISSET(core, &set)) cores[count++] = core;
  return count;
}

int hero_use_cores(int first, int count) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (int core = first; core < first + count && core < CPU_SETSIZE; core++) CPU_SET(core, &set);
  return sched_setaffinity(0, sizeof set, &set);
}
