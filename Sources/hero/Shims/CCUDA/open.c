#include "CCUDA.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

typedef struct {
  hero_cuda_library library;
  const char *name;
  size_t offset;
} entry;

#define ENTRY(library, field, name) {library, #name, offsetof(hero_cuda_functions, field)},
#define DRIVER(field, name) ENTRY(HERO_CUDA_DRIVER, field, name)
#define COMPILER(field, name) ENTRY(HERO_CUDA_COMPILER, field, name)
#define PRODUCTS(field, name) ENTRY(HERO_CUDA_PRODUCTS, field, name)
#define RANKS(field, name) ENTRY(HERO_CUDA_RANKS, field, name)

static const entry entries[] = {
#include "entries.h"
};

int hero_cuda_open(hero_cuda_functions *functions, hero_cuda_library library, const char *file, char *problem, size_t size) {
  // The library stays open: the driver does not survive being closed.
  void *handle = dlopen(file, RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    const char *reason = dlerror();
    snprintf(problem, size, "%s", reason ? reason : "no reason given");
    return 0;
  }
  for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
    if (entries[i].library != library) continue;
    void *function = dlsym(handle, entries[i].name);
    if (!function) {
      snprintf(problem, size, "it has no %s: too old", entries[i].name);
      return 0;
    }
    memcpy((char *)functions + entries[i].offset, &function, sizeof function);
  }
  return 1;
}
