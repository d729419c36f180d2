#ifndef HERO_OPENBLAS_H
#define HERO_OPENBLAS_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Loads OpenBLAS at run time, without threads of its own: the engine splits products over its own
/// pool.
///
/// Linked in the usual way, OpenBLAS would start a thread per core before `main`, and a machine
/// without it could not even print what is missing. OPENBLAS_CORETYPE is honoured, as OpenBLAS's
/// users expect. Returns NULL on success, else what went wrong.
const char *hero_blas_load(void);

/// Returns the kernel set that OpenBLAS chose, e.g. "SkylakeX"; "" before `hero_blas_load`.
const char *hero_blas_core(void);

/// Computes C = alpha * op(A) * op(B) + beta * C, row-major, on one thread. op(A) is m x k, op(B)
/// is k x n.
void hero_sgemm(bool transpose_a, bool transpose_b, long m, long n, long k, float alpha, const float *a,
                long lda, const float *b, long ldb, float beta, float *c, long ldc);

#ifdef __cplusplus
}
#endif

#endif
