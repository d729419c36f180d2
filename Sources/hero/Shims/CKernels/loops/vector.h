// Sixteen-lane vectors for the instruction set that this file is compiled for: the compiler splits
// them into registers of its width. Everything is static and inline, so each set has a copy of its
// own.

#include <math.h>
#include <stdint.h>
#include <string.h>

// Every function that takes a vector is inlined, so there is no calling convention to disagree
// about.
#pragma clang diagnostic ignored "-Wpsabi"

enum { LANES = 16 };
typedef float vf __attribute__((ext_vector_type(16)));
typedef int32_t vi __attribute__((ext_vector_type(16)));
typedef uint32_t vu __attribute__((ext_vector_type(16)));

// Registers, for blocks of sums that must stay in them: their lanes, and how many sums leave room
// for the factors. AVX-512 has 32 of 16 lanes, AVX2 16 of 8, SSE 16 of 4, NEON 32 of 4.
#if defined(SET_WIDE)
enum { REGISTER_LANES = 16, REGISTER_SUMS = 24 };
#elif defined(SET_FUSES)
enum { REGISTER_LANES = 8, REGISTER_SUMS = 12 };
#elif defined(__aarch64__)
enum { REGISTER_LANES = 4, REGISTER_SUMS = 24 };
#else
enum { REGISTER_LANES = 4, REGISTER_SUMS = 12 };
#endif
typedef float rf __attribute__((ext_vector_type(REGISTER_LANES)));

#define INLINE static inline __attribute__((always_inline))
// Marks functions that exist for both types of values.
#define EITHER __attribute__((overloadable))

INLINE EITHER vf load(const float *p) { vf v; memcpy(&v, p, sizeof v); return v; }
INLINE EITHER void store(float *p, vf v) { memcpy(p, &v, sizeof v); }
INLINE EITHER vf load_part(const float *p, long n) { vf v = 0; memcpy(&v, p, (size_t)n * sizeof *p); return v; }
INLINE EITHER void store_part(float *p, vf v, long n) { memcpy(p, &v, (size_t)n * sizeof *p); }
INLINE EITHER vf load_up_to(const float *p, long n) { return n >= LANES ? load(p) : load_part(p, n); }
INLINE EITHER void store_up_to(float *p, vf v, long n) { if (n >= LANES) store(p, v); else store_part(p, v, n); }
// Returns the first n lanes, and zeros for the rest.
INLINE vf first_lanes(vf v, long n) { return n >= LANES ? v : load_part((const float *)&v, n); }
// Where the processor has no such instruction, the builtins call the C library once for each lane.
#if defined(SET_FUSES) || defined(__FMA__) || defined(__aarch64__)
INLINE vf vfma(vf a, vf b, vf c) { return __builtin_elementwise_fma(a, b, c); }
INLINE rf rfma(rf a, rf b, rf c) { return __builtin_elementwise_fma(a, b, c); }
INLINE vf vround(vf a) { return __builtin_elementwise_rint(a); }
#else
INLINE vf vfma(vf a, vf b, vf c) { return a * b + c; }
INLINE rf rfma(rf a, rf b, rf c) { return a * b + c; }
// Rounds to the nearest whole number, for sizes below 2^22.
INLINE vf vround(vf a) { return (a + 12582912.0f) - 12582912.0f; }
#endif
INLINE vf vmax(vf a, vf b) { return __builtin_elementwise_max(a, b); }
INLINE vf vmin(vf a, vf b) { return __builtin_elementwise_min(a, b); }
INLINE vf vabs(vf a) { return __builtin_elementwise_abs(a); }
INLINE vf vselect(vi mask, vf a, vf b) { return (vf)(((vi)a & mask) | ((vi)b & ~mask)); }
INLINE float hsum(vf v) {
  typedef float v8 __attribute__((ext_vector_type(8)));
  typedef float v4 __attribute__((ext_vector_type(4)));
  v8 a = v.lo + v.hi;
  v4 b = a.lo + a.hi;
  return (b.x + b.z) + (b.y + b.w);
}
INLINE float hmax(vf v) { return __builtin_reduce_max(v); }

// e^x by x = n ln 2 + r, |r| <= ln 2 / 2, and the Taylor polynomial of degree 7 in r (remainder
// below 5e-9). The result is between 1e-38 and 2e38. NaN stays NaN; n comes from a number in any
// case.
INLINE vf vexp(vf x) {
  vf bounded = vmin(vmax(x, (vf)-87.33f), (vf)88.0f);
  vf n = vround(bounded * 1.44269504088896341f);
  vf r = vfma(n, (vf)-0.693145751953125f, vselect(x == x, bounded, x));
  r = vfma(n, (vf)-1.42860682030941723e-6f, r);
  vf p = 1.0f / 5040;
  p = vfma(p, r, (vf)(1.0f / 720));
  p = vfma(p, r, (vf)(1.0f / 120));
  p = vfma(p, r, (vf)(1.0f / 24));
  p = vfma(p, r, (vf)(1.0f / 6));
  p = vfma(p, r, (vf)0.5f);
  p = vfma(p, r, (vf)1.0f);
  p = vfma(p, r, (vf)1.0f);
  vi e = (__builtin_convertvector(n, vi) + 127) << 23;
  return p * (vf)e;
}

// x·σ(1.702x), the GELU of CLIP.
INLINE vf quick_gelu(vf x) { return x / (1.0f + vexp(-1.702f * x)); }

// The normal distribution's density and integral, by Abramowitz & Stegun 7.1.26 (absolute error
// below 8e-8).
INLINE void normal(vf x, vf *density, vf *integral) {
  vf z = vabs(x) * 0.70710678118654752f;
  vf e = vexp(-z * z);
  vf t = 1.0f / vfma((vf)0.3275911f, z, (vf)1.0f);
  vf p = 1.061405429f;
  p = vfma(p, t, (vf)-1.453152027f);
  p = vfma(p, t, (vf)1.421413741f);
  p = vfma(p, t, (vf)-0.284496736f);
  p = vfma(p, t, (vf)0.254829592f);
  vf tail = 0.5f * p * t * e;
  *integral = vselect(x >= 0.0f, 1.0f - tail, tail);
  *density = e * 0.39894228040143268f;
}
