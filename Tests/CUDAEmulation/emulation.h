// Defines for the kernels' sources what CUDA C++ adds to C++.
#pragma once

#include "fibers.h"

#include <cmath>
#include <cstring>

#define __device__
#define __shared__ static
#define KERNEL static void
#define BOUNDED(...)
#define DYNAMIC_SHARED(T, name) T *name = reinterpret_cast<T *>(dynamic_shared)
#define threadIdx (current_fiber->index)
#define blockIdx current_block
#define blockDim block_size
#define gridDim grid_size

struct uint2 { unsigned x, y; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
struct alignas(16) float4 { float x, y, z, w; };

inline float __uint_as_float(unsigned bits) {
  float x;
  std::memcpy(&x, &bits, 4);
  return x;
}

inline unsigned __float_as_uint(float x) {
  unsigned bits;
  std::memcpy(&bits, &x, 4);
  return bits;
}

inline unsigned __umulhi(unsigned a, unsigned b) { return unsigned((unsigned long long)a * b >> 32); }

inline int __ffs(int bits) { return __builtin_ffs(bits); }

// Threads are fibers that take turns, so a read and the write after it are atomic.
inline int atomicAdd(int *at, int x) {
  int before = *at;
  *at += x;
  return before;
}

inline int atomicMax(int *at, int x) {
  int before = *at;
  if (x > before) *at = x;
  return before;
}

inline void __syncthreads() { wait_for_others(Barrier::block); }
inline void __syncwarp() { wait_for_others(Barrier::warp); }

// Hands `own` to the warp and returns the table of all lanes' values. Two tables alternate, so that
// a fast lane does not overwrite values that others still read.
template <class T> inline const unsigned char (*exchange(const T &own))[32] {
  static_assert(sizeof(T) <= 32);
  Fiber *fiber = current_fiber;
  auto &table = fiber->exchange->bytes[fiber->turn++ % 2];
  std::memcpy(table[fiber->number % 32], &own, sizeof(T));
  wait_for_others(Barrier::warp);
  return table;
}

template <class T> inline T __shfl_xor_sync(unsigned, T x, int mask) {
  auto table = exchange(x);
  T other;
  std::memcpy(&other, table[current_fiber->number % 32 ^ mask], sizeof(T));
  return other;
}

inline unsigned __ballot_sync(unsigned, bool holds) {
  auto table = exchange(holds);
  unsigned bits = 0;
  for (int lane = 0; lane < 32; lane++) bits |= unsigned(table[lane][0] != 0) << lane;
  return bits;
}

// ldmatrix.x4: lane l names row l % 8 of matrix l / 8; each thread gets two neighbours of every
// matrix, or of every transposed one.
inline void load_matrices(unsigned (&r)[4], const unsigned short *row, bool transposed) {
  auto table = exchange(row);
  unsigned lane = current_fiber->number % 32, g = lane / 4, t = lane % 4;
  auto element = [&](unsigned matrix, unsigned row, unsigned column) {
    const unsigned short *at;
    std::memcpy(&at, table[8 * matrix + row], sizeof at);
    return unsigned(at[column]);
  };
  for (unsigned m = 0; m < 4; m++)
    r[m] = transposed ? element(m, 2 * t, g) | element(m, 2 * t + 1, g) << 16
                      : element(m, g, 2 * t) | element(m, g, 2 * t + 1) << 16;
}

// cp.async: a copy takes place when it is waited for, and not before.
inline void begin_copy(unsigned short *to, const unsigned short *from, bool isThere) {
  current_fiber->copies.push_back({to, isThere ? from : nullptr});
}

inline void end_copies() {
  for (const Copy &copy : current_fiber->copies) {
    if (copy.from) std::memcpy(copy.to, copy.from, 16);
    else std::memset(copy.to, 0, 16);
  }
  current_fiber->copies.clear();
}

// mma.m16n8k16 of bfloat16 by its definition. Lane (g, t) holds elements 2 t, 2 t + 1, 2 t + 8 and
// 2 t + 9 of A's rows g and g + 8 and of B's column g. Of D it holds columns 2 t and 2 t + 1 of
// rows g and g + 8.
inline void mma(float *d, const unsigned *a, const unsigned *b) {
  struct Parts { unsigned a[4], b[2]; } own;
  std::memcpy(own.a, a, sizeof own.a);
  std::memcpy(own.b, b, sizeof own.b);
  auto table = exchange(own);
  unsigned lane = current_fiber->number % 32;
  auto element = [](unsigned word, unsigned half) { return __uint_as_float(half ? word & 0xFFFF0000u : word << 16); };
  for (unsigned i = 0; i < 4; i++) {
    unsigned g = lane / 4, column = lane % 4 * 2 + i % 2;
    for (unsigned k = 0; k < 16; k++) {
      Parts left, right;
      std::memcpy(&left, table[g * 4 + k % 8 / 2], sizeof left);
      std::memcpy(&right, table[column * 4 + k % 8 / 2], sizeof right);
      d[i] += element(left.a[i / 2 + k / 8 * 2], k % 2) * element(right.b[k / 8], k % 2);
    }
  }
}
