// Products of few rows, as in a decoder's step. They take the time of reading the weights once and
// of the launch.

#if defined(HERO_BF16) || defined(HERO_EMULATION)

// Returns eight elements of a row from `column` on; zeros for a row that does not exist.
__device__ inline uint4 eight(const bfloat *from, long long row, long long rows, long long inner, long long column) {
  uint4 w = {0, 0, 0, 0};
  if (row < rows) w = *(const uint4 *)(from + row * inner + column);
  return w;
}

// Computes pre = x·weightᵀ + bias and out = activation(pre), for up to 32 rows and an inner size in
// 32s. A block has 8 columns, and each of its 8 warps an eighth of the inner size, 32 elements at a
// time: thread (g, t) takes those from 8 t on, of row g of either factor. `mma` names another order
// of the terms, but both factors share this one.
KERNEL thin_product(const hero_thin_arguments a) {
  __shared__ float sums[8][32][8];
  int warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
  long long first = blockIdx.x * 8;
  float c[2][4] = {{0, 0, 0, 0}, {0, 0, 0, 0}};
#pragma unroll 3
  for (long long k = 32 * warp; k < a.inner; k += 256) {
    uint4 w = eight(a.weight, first + g, a.columns, a.inner, k + 8 * t);
    uint4 x[4];
#pragma unroll
    for (int part = 0; part < 4; part++) x[part] = eight(a.x, g + 8 * part, a.rows, a.inner, k + 8 * t);
    u32 right[2][2] = {{w.x, w.y}, {w.z, w.w}};
#pragma unroll
    for (int tile = 0; tile < 2; tile++) {
      const uint4 &high = x[2 * tile], &low = x[2 * tile + 1];
      u32 left[2][4] = {{high.x, low.x, high.y, low.y}, {high.z, low.z, high.w, low.w}};
      mma(c[tile], left[0], right[0]);
      mma(c[tile], left[1], right[1]);
    }
  }
#pragma unroll
  for (int tile = 0; tile < 2; tile++)
#pragma unroll
    for (int i = 0; i < 4; i++) sums[warp][16 * tile + g + i / 2 * 8][2 * t + i % 2] = c[tile][i];
  __syncthreads();
  long long row = threadIdx.x / 8, column = first + threadIdx.x % 8;
  if (row >= a.rows || column >= a.columns) return;
  float sum = 0;
  for (int i = 0; i < 8; i++) sum += sums[i][row][threadIdx.x % 8];
  if (a.bias) sum += a.bias[column];
  long long at = row * a.columns + column;
  if (a.activation == ACTIVATION_GELU) {
    put(a.pre, at, sum);
    sum = get(a.pre, at);
  }
  put(a.out, at, activated(sum, a.activation));
}

#endif
