// The base of all kernels: views of either type of element, sums over warps and blocks, random
// bits.
//
// Sums have a fixed order: no result depends on which block or thread came first.

#ifndef HERO_KERNEL_ARGUMENTS_H
#include "kernel_arguments.h"
#endif

typedef unsigned int u32;
typedef unsigned short bfloat;

// Infinity, without a header.
__device__ inline float infinity() { return __uint_as_float(0x7F800000u); }

__device__ inline float widen(bfloat x) { return __uint_as_float((u32)x << 16); }

// Rounds to the nearest bfloat16, ties to even.
__device__ inline bfloat narrow(float x) {
  u32 bits = __float_as_uint(x);
  if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return (bfloat)(bits >> 16 | 0x40u);
  return (bfloat)((bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16);
}

__device__ inline float get(const hero_view &v, long long i) {
  return v.bf16 ? widen(((const bfloat *)v.data)[i]) : ((const float *)v.data)[i];
}

__device__ inline void put(const hero_view &v, long long i, float x) {
  if (v.bf16) ((bfloat *)v.data)[i] = narrow(x);
  else ((float *)v.data)[i] = x;
}

// Four elements, which one access reads or writes if their address is aligned.
struct Four { float x[4]; };

// Packs two elements as bfloat16, the first in the lower half.
__device__ inline u32 pair(float low, float high) {
#if defined(HERO_BF16) && !defined(HERO_EMULATION)
  u32 both;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(high), "f"(low));
  return both;
#else
  return (u32)narrow(low) | (u32)narrow(high) << 16;
#endif
}

__device__ inline Four widen_four(uint2 w) {
  return {{__uint_as_float(w.x << 16), __uint_as_float(w.x & 0xFFFF0000u), __uint_as_float(w.y << 16),
           __uint_as_float(w.y & 0xFFFF0000u)}};
}

__device__ inline uint2 narrow_four(const Four &f) {
  uint2 w;
  w.x = pair(f.x[0], f.x[1]);
  w.y = pair(f.x[2], f.x[3]);
  return w;
}

__device__ inline bool reaches(const hero_view &v, long long i) {
  return ((unsigned long long)v.data + (unsigned long long)i * (v.bf16 ? 2 : 4)) % (v.bf16 ? 8 : 16) == 0;
}

__device__ inline Four get_four(const hero_view &v, long long i) {
  Four f;
  if (!reaches(v, i)) {
    for (int k = 0; k < 4; k++) f.x[k] = get(v, i + k);
  } else if (v.bf16) {
    f = widen_four(*(const uint2 *)((const bfloat *)v.data + i));
  } else {
    float4 w = *(const float4 *)((const float *)v.data + i);
    f.x[0] = w.x;
    f.x[1] = w.y;
    f.x[2] = w.z;
    f.x[3] = w.w;
  }
  return f;
}

// Writes four elements and returns them as they read back.
__device__ inline Four put_four(const hero_view &v, long long i, const Four &f) {
  if (!v.bf16) {
    if (reaches(v, i)) {
      float4 w;
      w.x = f.x[0];
      w.y = f.x[1];
      w.z = f.x[2];
      w.w = f.x[3];
      *(float4 *)((float *)v.data + i) = w;
    } else {
      for (int k = 0; k < 4; k++) put(v, i + k, f.x[k]);
    }
    return f;
  }
  uint2 w = narrow_four(f);
  Four kept = widen_four(w);
  if (reaches(v, i)) {
    *(uint2 *)((bfloat *)v.data + i) = w;
  } else {
    for (int k = 0; k < 4; k++) put(v, i + k, kept.x[k]);
  }
  return kept;
}

// Returns the four columns from `column` on of a row of `columns` that begins at `start`; zeros
// after its end.
__device__ inline Four get_columns(const hero_view &v, long long start, long long column, long long columns) {
  if (column + 4 <= columns) return get_four(v, start + column);
  Four f = {{0, 0, 0, 0}};
#pragma unroll
  for (int k = 0; k < 4; k++)
    if (column + k < columns) f.x[k] = get(v, start + column + k);
  return f;
}

__device__ inline Four get_columns(const float *from, long long column, long long columns) {
  hero_view view = {(void *)from, 0};
  return get_columns(view, 0, column, columns);
}

__device__ inline Four put_columns(const hero_view &v, long long start, long long column, long long columns, const Four &f) {
  if (column + 4 <= columns) return put_four(v, start + column, f);
  Four kept = {{0, 0, 0, 0}};
#pragma unroll
  for (int k = 0; k < 4; k++) {
    if (column + k >= columns) continue;
    put(v, start + column + k, f.x[k]);
    kept.x[k] = get(v, start + column + k);
  }
  return kept;
}

// Eight neighbouring columns of a row, as they were read: bfloat16 that one access reached is in
// `low` alone. A thread waits for the read only when it uses the data.
struct Raw { uint4 low, high; bool isNarrow; };
struct Eight { float x[8]; };

__device__ inline unsigned long long address(const hero_view &v, long long i) {
  return (unsigned long long)v.data + (unsigned long long)i * (v.bf16 ? 2 : 4);
}

__device__ inline uint4 words_of(const Four &f) {
  uint4 w = {__float_as_uint(f.x[0]), __float_as_uint(f.x[1]), __float_as_uint(f.x[2]), __float_as_uint(f.x[3])};
  return w;
}

// Begins to read the eight columns from `column` on of a row of `columns` that begins at `start`;
// zeros after its end.
__device__ inline Raw ask(const hero_view &v, long long start, long long column, long long columns) {
  Raw raw;
  unsigned long long at = address(v, start + column);
  bool isWhole = column + 8 <= columns && at % 16 == 0;
  raw.isNarrow = isWhole && v.bf16;
  if (raw.isNarrow) {
    raw.low = *(const uint4 *)at;
    raw.high = raw.low;
  } else if (isWhole) {
    raw.low = ((const uint4 *)at)[0];
    raw.high = ((const uint4 *)at)[1];
  } else {
    raw.low = words_of(get_columns(v, start, column, columns));
    raw.high = words_of(get_columns(v, start, column + 4, columns));
  }
  return raw;
}

__device__ inline Eight received(const Raw &raw) {
  u32 w[8] = {raw.low.x, raw.low.y, raw.low.z, raw.low.w, raw.high.x, raw.high.y, raw.high.z, raw.high.w};
  Eight e;
#pragma unroll
  for (int k = 0; k < 8; k++) {
    u32 half = k % 2 ? w[k / 2] & 0xFFFF0000u : w[k / 2] << 16;
    e.x[k] = __uint_as_float(raw.isNarrow ? half : w[k]);
  }
  return e;
}

__device__ inline Eight get_eight(const hero_view &v, long long start, long long column, long long columns) {
  return received(ask(v, start, column, columns));
}

// Writes eight columns and returns them as they read back, with zeros after the row's end.
__device__ inline Eight put_eight(const hero_view &v, long long start, long long column, long long columns, const Eight &e) {
  Four low = {{e.x[0], e.x[1], e.x[2], e.x[3]}}, high = {{e.x[4], e.x[5], e.x[6], e.x[7]}};
  unsigned long long at = address(v, start + column);
  if (v.bf16 && column + 8 <= columns && at % 16 == 0) {
    uint2 left = narrow_four(low), right = narrow_four(high);
    uint4 w = {left.x, left.y, right.x, right.y};
    *(uint4 *)at = w;
    low = widen_four(left);
    high = widen_four(right);
  } else {
    low = put_columns(v, start, column, columns, low);
    high = put_columns(v, start, column + 4, columns, high);
  }
  Eight kept = {{low.x[0], low.x[1], low.x[2], low.x[3], high.x[0], high.x[1], high.x[2], high.x[3]}};
  return kept;
}

__device__ inline void put_gradient(
    const hero_view &v, bool accumulate, long long start, long long column, long long columns, Four f) {
  if (accumulate) {
    Four before = get_columns(v, start, column, columns);
    for (int k = 0; k < 4; k++) f.x[k] += before.x[k];
  }
  put_columns(v, start, column, columns, f);
}

template <class T> __device__ inline T warp_sum(T x) {
  for (int distance = 16; distance > 0; distance >>= 1) x += __shfl_xor_sync(0xFFFFFFFFu, x, distance);
  return x;
}

__device__ inline float warp_max(float x) {
  for (int distance = 16; distance > 0; distance >>= 1) x = fmaxf(x, __shfl_xor_sync(0xFFFFFFFFu, x, distance));
  return x;
}

// Returns the sum over the block to every thread of it.
template <class T> __device__ inline T block_sum(T x) {
  __shared__ T parts[32];
  x = warp_sum(x);
  __syncthreads();
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = x;
  __syncthreads();
  T total = 0;
  for (u32 warp = 0; warp < blockDim.x / 32; warp++) total += parts[warp];
  return total;
}

__device__ inline float block_max(float x) {
  __shared__ float parts[32];
  x = warp_max(x);
  __syncthreads();
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = x;
  __syncthreads();
  float most = parts[0];
  for (u32 warp = 1; warp < blockDim.x / 32; warp++) most = fmaxf(most, parts[warp]);
  return most;
}

// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
struct Words { u32 w[4]; };

__device__ inline Words philox(u32 c0, u32 c1, u32 c2, u32 c3, u32 k0, u32 k1) {
#pragma unroll
  for (int round = 0; round < 10; round++) {
    u32 h0 = __umulhi(c0, 0xD2511F53u), l0 = c0 * 0xD2511F53u;
    u32 h1 = __umulhi(c2, 0xCD9E8D57u), l1 = c2 * 0xCD9E8D57u;
    c0 = h1 ^ c1 ^ k0;
    c1 = l1;
    c2 = h0 ^ c3 ^ k1;
    c3 = l0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  Words words = {{c0, c1, c2, c3}};
  return words;
}

// Returns the random words of a row's eight columns from 8·eight on.
__device__ inline Words drop_words(const hero_dropout &drop, u32 row, u32 eight) {
  return philox(row, drop.stream, drop.step, HERO_DROPOUT_WORD(eight), drop.key[0], drop.key[1]);
}

// Returns the dropout factor that half 0 or 1 of a word gives to its element.
__device__ inline float drop_half(const hero_dropout &drop, u32 word, int half) {
  u32 bits = half ? word >> 16 : word & 0xFFFFu;
  return bits >= drop.threshold ? 65536.0f / (65536.0f - (float)drop.threshold) : 0.0f;
}

// Returns e to the x; in bfloat16 by the device's approximation, which errs in float32's last
// digits.
__device__ inline float exponential(float x) {
#if defined(HERO_BF16) && !defined(HERO_EMULATION)
  return __expf(x);
#else
  return expf(x);
#endif
}

// The normal distribution's cumulative function and density.
struct Normal { float integral, density; };

__device__ inline Normal normal(float x) {
  Normal n;
  n.density = 0.39894228040143268f * exponential(-0.5f * x * x);
#if defined(HERO_BF16) && !defined(HERO_EMULATION)
  // Hastings' approximation of erfc (Abramowitz and Stegun, 7.1.26) shares the exponential. Its
  // error of 1e-7 is negligible beside bfloat16's, and erf costs three times as much.
  float z = 0.70710678118654752f * fabsf(x), t = __fdividef(1.0f, 1.0f + 0.3275911f * z);
  float tail = t * (0.254829592f + t * (-0.284496736f + t * (1.421413741f + t * (-1.453152027f + t * 1.061405429f))));
  tail *= 0.5f * 2.5066282746310002f * n.density;
  n.integral = x < 0 ? tail : 1.0f - tail;
#else
  n.integral = 0.5f * erfcf(-0.70710678118654752f * x);
#endif
  return n;
}

#ifndef KERNEL
#define KERNEL extern "C" __global__ void
// The most threads of a block, and the fewest blocks of a multiprocessor; they limit the registers.
#define BOUNDED(...) __launch_bounds__(__VA_ARGS__)
#endif
