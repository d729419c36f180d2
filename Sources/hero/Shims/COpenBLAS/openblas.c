#include "COpenBLAS.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef void (*sgemm_function)(int order, int trans_a, int trans_b, int m, int n, int k, float alpha,
                               const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc);

static sgemm_function sgemm;
static const char *core = "";

static const char *problem;

static void *open_library(void) {
  static const char *const names[] = {"libhero-openblas.so.0", "libopenblas.so.0", "libopenblas.so", "libblas.so.3"};
  void *library = NULL;
  for (size_t i = 0; i < sizeof names / sizeof *names && !library; i++)
    library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
  return library;
}

static const char *core_of(void *library) {
  char *(*core_name)(void) = (char *(*)(void))dlsym(library, "openblas_get_corename");
  return core_name ? core_name() : "unknown";
}

/// Returns the kernels for a processor newer than the library, which would take those of the oldest
/// processor and be ten times slower. NULL if the library's own choice is right.
static const char *better_core(const char *chosen) {
#if defined(__x86_64__)
  static const char *const oldest[] = {"Prescott", "Katmai", "Coppermine", "Northwood", "Banias", "Core2", "Generic"};
  if (getenv("OPENBLAS_CORETYPE")) return NULL;
  for (size_t i = 0; i < sizeof oldest / sizeof *oldest; i++)
    if (!strcasecmp(chosen, oldest[i])) {
      bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                    __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
      if (avx512) return "SkylakeX";
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? "Haswell" : NULL;
    }
#endif
  return NULL;
}

static void load(void) {
  setenv("OPENBLAS_NUM_THREADS", "1", 1);
  void *library = open_library();
  const char *better = library ? better_core(core_of(library)) : NULL;
  if (better) {
    // OpenBLAS chooses its kernels once, when it is opened.
    setenv("OPENBLAS_CORETYPE", better, 1);
    dlclose(library);
    library = open_library();
  }
  if (!library) {
    const char *reason = dlerror();
    problem = reason ? strdup(reason) : NULL;
    if (!problem) problem = "no reason given";
    return;
  }
  sgemm = (sgemm_function)dlsym(library, "cblas_sgemm");
  if (!sgemm) {
    problem = "the BLAS library has no cblas_sgemm";
    return;
  }
  void (*set_threads)(int) = (void (*)(int))dlsym(library, "openblas_set_num_threads");
  if (set_threads) set_threads(1);
  core = core_of(library);
}

const char *hero_blas_load(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, load);
  return problem;
}

const char *hero_blas_core(void) { return core; }

void hero_sgemm(bool transpose_a, bool transpose_b, long m, long n, long k, float alpha, const float *a,
                long lda, const float *b, long ldb, float beta, float *c, long ldc) {
  enum { row_major = 101, plain = 111, transposed = 112 };
  sgemm(row_major, transpose_a ? transposed : plain, transpose_b ? transposed : plain, (int)m, (int)n, (int)k,
        alpha, a, (int)lda, b, (int)ldb, beta, c, (int)ldc);
}
