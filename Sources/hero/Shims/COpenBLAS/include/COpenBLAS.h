#ifndef HERO_OPENBLAS_H
#define HERO_OPENBLAS_H

#include <stdbool.h>

/// Loads OpenBLAS at run time and tells it to use one thread: the engine splits products over its own pool.
///
/// OpenBLAS 0.3.21 and older does not know AMD's newer cores and falls back to AVX2 kernels on processors that
/// have AVX-512; loading it by hand lets us name the better kernel set first, which doubles its speed there.
/// Returns NULL on success, else what went wrong.
const char *hero_blas_load(void);

/// The kernel set OpenBLAS chose, e.g. "SkylakeX"; "" before `hero_blas_load`.
const char *hero_blas_core(void);

/// C = alpha * op(A) * op(B) + beta * C, row-major, one thread. op(A) is m x k, op(B) is k x n.
void hero_sgemm(bool transpose_a, bool transpose_b, long m, long n, long k, float alpha, const float *a,
                long lda, const float *b, long ldb, float beta, float *c, long ldc);

#endif
