#include "COpenBLAS.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

typedef void (*sgemm_function)(int order, int trans_a, int trans_b, int m, int n, int k, float alpha,
                               const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc);

static sgemm_function sgemm;
static const char *core = "";

static const char *problem;

static void load(void) {
  setenv("OPENBLAS_NUM_THREADS", "1", 1);
  static const char *const names[] = {"libopenblas.so.0", "libopenblas.so", "libblas.so.3"};
  void *library = NULL;
  for (size_t i = 0; i < sizeof names / sizeof *names && !library; i++)
    library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
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
  char *(*core_name)(void) = (char *(*)(void))dlsym(library, "openblas_get_corename");
  core = core_name ? core_name() : "unknown";
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
