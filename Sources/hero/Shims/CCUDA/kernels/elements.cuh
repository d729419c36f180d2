// Elementwise operations, and sums of elements.

enum { ACTIVATION_NONE, ACTIVATION_RELU, ACTIVATION_GELU, ACTIVATION_QUICK_GELU };

__device__ inline long long first_of_four() { return ((long long)blockIdx.x * blockDim.x + threadIdx.x) * 4; }

KERNEL fill(const hero_fill_arguments a) {
  long long first = 2 * first_of_four();
  if (a.sums) {
    for (long long i = first; i < first + 8 && i < a.count; i++) a.sums[i] = a.value;
  } else if (first < a.count) {
    Eight e;
    for (int k = 0; k < 8; k++) e.x[k] = a.value;
    put_eight(a.y, 0, first, a.count, e);
  }
}

KERNEL copy(const hero_copy_arguments a) {
  long long i = first_of_four();
  if (i + 4 <= a.count) {
    Four x = get_four(a.x, i), y = {{0, 0, 0, 0}};
    if (a.accumulate) y = get_four(a.y, i);
    for (int k = 0; k < 4; k++) y.x[k] = a.accumulate ? y.x[k] + a.factor * x.x[k] : a.factor * x.x[k];
    put_four(a.y, i, y);
  } else {
    for (; i < a.count; i++) put(a.y, i, a.factor * get(a.x, i) + (a.accumulate ? get(a.y, i) : 0.0f));
  }
}

// Returns a finite half as a float; a subnormal one is a multiple of 2^-24.
__device__ inline float half_value(u32 half) {
  u32 magnitude = half & 0x7FFFu;
  float size = magnitude < 0x400u ? (float)magnitude * 5.9604644775390625e-8f
                                  : __uint_as_float((magnitude << 13) + 0x38000000u);
  return half & 0x8000u ? -size : size;
}

KERNEL halves(const hero_halves_arguments a) {
  long long i = first_of_four();
  if (i + 4 <= a.count) {
    uint2 w = *(const uint2 *)(a.x + i);
    put_four(
        a.y, i, {{half_value(w.x & 0xFFFFu), half_value(w.x >> 16), half_value(w.y & 0xFFFFu), half_value(w.y >> 16)}});
  } else {
    for (; i < a.count; i++) put(a.y, i, half_value(a.x[i]));
  }
}

// ReLU is no maximum here: a maximum would turn NaN into 0.
__device__ inline float activated(float x, int activation) {
  if (activation == ACTIVATION_RELU) return x < 0 ? 0.0f : x;
  if (activation == ACTIVATION_QUICK_GELU) return x / (1.0f + expf(-1.702f * x));
  return activation == ACTIVATION_GELU ? x * normal(x).integral : x;
}

KERNEL bias(const hero_bias_arguments a) {
  long long i = first_of_four(), count = a.rows * a.columns;
  if (i + 4 <= count) {
    Four x = get_four(a.pre, i), y;
    if (a.bias) {
      u32 column = (u32)(i % a.columns);
      for (int k = 0; k < 4; k++) {
        x.x[k] += a.bias[column];
        if (++column == a.columns) column = 0;
      }
      if (a.activation == ACTIVATION_GELU) x = put_four(a.pre, i, x);
    }
    for (int k = 0; k < 4; k++) y.x[k] = activated(x.x[k], a.activation);
    put_four(a.out, i, y);
    return;
  }
  for (; i < count; i++) {
    float x = get(a.pre, i);
    if (a.bias) {
      put(a.pre, i, x + a.bias[i % a.columns]);
      x = get(a.pre, i);
    }
    put(a.out, i, activated(x, a.activation));
  }
}

// dy·activation'(x), and the activation itself.
struct Slope { float d, y; };

__device__ inline Slope slope_at(float x, float dy, int activation) {
  if (activation == ACTIVATION_RELU) return {x > 0 ? dy : 0.0f, 0.0f};
  Normal n = normal(x);
  return {dy * (x * n.density + n.integral), x * n.integral};
}

KERNEL slope(const hero_slope_arguments a) {
  long long i = first_of_four(), count = a.rows * a.columns;
  if (i + 4 <= count) {
    Four x = get_four(a.saved, i), dy = get_four(a.dy, i), y;
    for (int k = 0; k < 4; k++) {
      Slope found = slope_at(x.x[k], dy.x[k], a.activation);
      dy.x[k] = found.d;
      y.x[k] = found.y;
    }
    put_four(a.dy, i, dy);
    if (a.out.data) put_four(a.out, i, y);
    return;
  }
  for (; i < count; i++) {
    Slope found = slope_at(get(a.saved, i), get(a.dy, i), a.activation);
    put(a.dy, i, found.d);
    if (a.out.data) put(a.out, i, found.y);
  }
}

// Does the same and sums dy's columns. A block covers 256 columns by 8 rows; a thread has eight
// columns.
KERNEL BOUNDED(256, 3) slope_sums(const hero_slope_arguments a) {
  __shared__ float sums[8][256];
  u32 lane = threadIdx.x % 32, line = threadIdx.x / 32;
  long long column = (long long)blockIdx.x * 256 + 8 * lane, first = blockIdx.y * a.rows_per_part;
  long long last = first + a.rows_per_part < a.rows ? first + a.rows_per_part : a.rows;
  Eight sum = {{0, 0, 0, 0, 0, 0, 0, 0}};
  if (column < a.columns)
    for (long long r = first + line; r < last; r += 8) {
      Raw saved = ask(a.saved, r * a.columns, column, a.columns), above = ask(a.dy, r * a.columns, column, a.columns);
      Eight x = received(saved), dy = received(above), y;
#pragma unroll
      for (int k = 0; k < 8; k++) {
        Slope found = slope_at(x.x[k], dy.x[k], a.activation);
        dy.x[k] = found.d;
        y.x[k] = found.y;
      }
      dy = put_eight(a.dy, r * a.columns, column, a.columns, dy);
      if (a.out.data) put_eight(a.out, r * a.columns, column, a.columns, y);
      for (int k = 0; k < 8; k++) sum.x[k] += dy.x[k];
    }
  for (int k = 0; k < 8; k++) sums[line][8 * lane + k] = sum.x[k];
  __syncthreads();
  long long own = (long long)blockIdx.x * 256 + threadIdx.x;
  if (own >= a.columns) return;
  float total = 0;
  for (int i = 0; i < 8; i++) total += sums[i][threadIdx.x];
  a.parts[blockIdx.y * a.columns + own] = total;
}

// A block covers 128 columns by 8 rows; a thread has four columns.
KERNEL column_sums(const hero_columns_arguments a) {
  __shared__ float sums[8][128];
  u32 lane = threadIdx.x % 32, line = threadIdx.x / 32;
  long long column = (long long)blockIdx.x * 128 + 4 * lane, first = blockIdx.y * a.rows_per_part;
  long long last = first + a.rows_per_part < a.rows ? first + a.rows_per_part : a.rows;
  Four sum = {{0, 0, 0, 0}};
  long long r = first + line;
  // All four reads begin before the first is used.
  if (a.x.bf16 && a.columns % 4 == 0 && reaches(a.x, 0) && column < a.columns)
    for (; r + 24 < last; r += 32) {
      uint2 w[4];
#pragma unroll
      for (int i = 0; i < 4; i++) w[i] = *(const uint2 *)((const bfloat *)a.x.data + (r + 8 * i) * a.columns + column);
#pragma unroll
      for (int i = 0; i < 4; i++) {
        Four x = widen_four(w[i]);
        for (int k = 0; k < 4; k++) sum.x[k] += x.x[k];
      }
    }
  for (; r < last; r += 8) {
    Four x = get_columns(a.x, r * a.columns, column, a.columns);
    for (int k = 0; k < 4; k++) sum.x[k] += x.x[k];
  }
  for (int k = 0; k < 4; k++) sums[line][4 * lane + k] = sum.x[k];
  __syncthreads();
  long long own = (long long)blockIdx.x * 128 + threadIdx.x;
  if (threadIdx.x >= 128 || own >= a.columns) return;
  float total = 0;
  for (int i = 0; i < 8; i++) total += sums[i][threadIdx.x];
  a.parts[blockIdx.y * a.columns + own] = total;
}

// A block covers 32 elements by 8 lines of threads; a line has every eighth part.
KERNEL add_parts(const hero_parts_arguments a) {
  __shared__ float sums[8][33];
  u32 lane = threadIdx.x % 32, line = threadIdx.x / 32, target = blockIdx.y;
  long long i = (long long)blockIdx.x * 32 + lane;
  const float *parts = a.parts + target * a.count + i;
  float sum = 0;
  if (i < a.count) {
    int part = line;
    // All eight reads begin before the first is used.
    for (; part + 56 < a.part_count; part += 64) {
      float x[8];
#pragma unroll
      for (int k = 0; k < 8; k++) x[k] = parts[(part + 8 * k) * a.stride];
#pragma unroll
      for (int k = 0; k < 8; k++) sum += x[k];
    }
    for (; part < a.part_count; part += 8) sum += parts[part * a.stride];
  }
  sums[line][lane] = sum;
  __syncthreads();
  if (line != 0 || i >= a.count) return;
  for (int k = 1; k < 8; k++) sum += sums[k][lane];
  hero_view to = target == 0 ? a.to[0] : target == 1 ? a.to[1] : a.to[2];
  bool accumulate = target == 0 ? a.accumulate[0] : target == 1 ? a.accumulate[1] : a.accumulate[2];
  put(to, i, accumulate ? get(to, i) + sum : sum);
}

KERNEL sum_elements(const hero_sum_arguments a) {
  long long first = blockIdx.x * a.stretch, last = first + a.stretch < a.count ? first + a.stretch : a.count;
  float sum = 0;
  double total = 0;
  int terms = 0;
  for (long long i = first + threadIdx.x; i < last; i += blockDim.x) {
    float x = get(a.x, i);
    sum += a.squares ? x * x : x;
    // Short sums are in float32, long ones in float64.
    if (++terms == 32) {
      total += sum;
      sum = 0;
      terms = 0;
    }
  }
  total = block_sum(total + sum);
  if (threadIdx.x == 0) a.parts[blockIdx.x] = total;
}

KERNEL add_total(const hero_total_arguments a) {
  double sum = 0;
  for (int i = threadIdx.x; i < a.part_count; i += blockDim.x) sum += a.parts[i];
  sum = block_sum(sum);
  if (threadIdx.x == 0) *a.to += a.scale * sum;
}
