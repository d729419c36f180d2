// Operations on packed sequences other than attention.

KERNEL softmax_pool(const hero_pool_arguments a) {
  long long segment = blockIdx.x;
  int first = a.starts[segment], last = a.starts[segment + 1];
  float most = -infinity(), total = 0;
  for (int r = first + threadIdx.x; r < last; r += blockDim.x) most = fmaxf(most, get(a.scores, r));
  most = block_max(most);
  for (int r = first + threadIdx.x; r < last; r += blockDim.x) {
    float e = expf(get(a.scores, r) - most);
    a.weights[r] = e;
    total += e;
  }
  total = block_sum(total);
  for (int r = first + threadIdx.x; r < last; r += blockDim.x) a.weights[r] /= total;
  __syncthreads();
  for (long long c = threadIdx.x; c < a.columns; c += blockDim.x) {
    float sum = 0;
    for (int r = first; r < last; r++) sum += a.weights[r] * get(a.x, r * a.columns + c);
    put(a.out, segment * a.columns + c, sum);
  }
}

KERNEL softmax_pool_backward(const hero_pool_arguments a) {
  long long segment = blockIdx.x, start = segment * a.columns;
  int first = a.starts[segment], last = a.starts[segment + 1];
  if (a.d_scores.data) {
    float along = 0;
    for (int r = first + threadIdx.x / 32; r < last; r += blockDim.x / 32) {
      float dot = 0;
      for (long long c = threadIdx.x % 32; c < a.columns; c += 32) dot += get(a.dy, start + c) * get(a.x, r * a.columns + c);
      dot = warp_sum(dot);
      if (threadIdx.x % 32 == 0) {
        a.dots[r] = dot;
        along += a.weights[r] * dot;
      }
    }
    along = block_sum(along);
    for (int r = first + threadIdx.x; r < last; r += blockDim.x) {
      float slope = a.weights[r] * (a.dots[r] - along);
      put(a.d_scores, r, a.accumulate_scores ? get(a.d_scores, r) + slope : slope);
    }
  }
  if (!a.dx.data) return;
  for (long long c = threadIdx.x; c < a.columns; c += blockDim.x) {
    float dy = get(a.dy, start + c);
    for (int r = first; r < last; r++) {
      long long at = r * a.columns + c;
      put(a.dx, at, a.weights[r] * dy + (a.accumulate_x ? get(a.dx, at) : 0.0f));
    }
  }
}

// Does the same, with NaN before all numbers.
__device__ inline bool leads(float x, int i, float y, int j) {
  if (x != x || y != y) return x != x && (y == y || i < j);
  return precedes(x, i, y, j);
}

// A warp takes one segment of one row.
KERNEL segment_max(const hero_most_arguments a) {
  long long number = (long long)blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
  if (number >= a.rows * a.segments) return;
  long long row = number / a.segments, segment = number % a.segments, start = row * a.columns;
  int first = a.starts[segment], last = a.starts[segment + 1], place = 0x7FFFFFFF;
  float best = -infinity();
  for (int c = first + threadIdx.x % 32; c < last; c += 32) {
    float x = get(a.x, start + c);
    if (leads(x, c, best, place)) {
      best = x;
      place = c;
    }
  }
  for (int distance = 16; distance > 0; distance >>= 1) {
    float other = __shfl_xor_sync(0xFFFFFFFFu, best, distance);
    int other_place = __shfl_xor_sync(0xFFFFFFFFu, place, distance);
    if (leads(other, other_place, best, place)) {
      best = other;
      place = other_place;
    }
  }
  if (threadIdx.x % 32 != 0) return;
  put(a.out, number, first < last ? best : 0.0f);
  a.places[number] = first < last ? place : -1;
}

KERNEL segment_max_backward(const hero_most_arguments a) {
  long long number = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (number >= a.rows * a.segments || a.places[number] < 0) return;
  long long at = number / a.segments * a.columns + a.places[number];
  put(a.dx, at, get(a.dx, at) + get(a.dy, number));
}

KERNEL pair_dot(const hero_pairs_arguments a) {
  long long pair = blockIdx.x;
  long long query = a.query_rows ? a.query_rows[pair] : pair;
  int first = a.first[pair], last = a.last[pair];
  for (int r = first + threadIdx.x / 32; r < last; r += blockDim.x / 32) {
    float dot = 0;
    for (long long c = threadIdx.x % 32; c < a.columns; c += 32)
      dot += get(a.queries, query * a.columns + c) * get(a.x, r * a.columns + c);
    dot = warp_sum(dot);
    if (threadIdx.x % 32 == 0) put(a.out, a.places[pair] + r - first, dot);
  }
}

KERNEL pair_dot_queries(const hero_pairs_arguments a) {
  long long pair = blockIdx.x;
  int first = a.first[pair], last = a.last[pair];
  for (long long c = threadIdx.x; c < a.columns; c += blockDim.x) {
    long long at = pair * a.columns + c;
    float sum = a.accumulate_queries ? get(a.d_queries, at) : 0.0f;
    for (int r = first; r < last; r++) sum += get(a.dy, a.places[pair] + r - first) * get(a.x, r * a.columns + c);
    put(a.d_queries, at, sum);
  }
}

// Several queries may share a row, which adds them in their order.
KERNEL pair_dot_rows(const hero_pairs_arguments a) {
  long long row = blockIdx.x;
  for (long long c = threadIdx.x; c < a.columns; c += blockDim.x) {
    long long at = row * a.columns + c;
    float sum = a.accumulate_x ? get(a.dx, at) : 0.0f;
    for (long long pair = 0; pair < a.pairs; pair++) {
      if (row < a.first[pair] || row >= a.last[pair]) continue;
      sum += get(a.dy, a.places[pair] + row - a.first[pair]) * get(a.queries, pair * a.columns + c);
    }
    put(a.dx, at, sum);
  }
}

KERNEL convolve(const hero_convolution_arguments a) {
  int first = a.starts[blockIdx.x], last = a.starts[blockIdx.x + 1], half = a.width / 2;
  for (int i = first + threadIdx.x; i < last; i += blockDim.x) {
    float total = 0;
    for (int t = 0; t < a.width; t++) {
      int from = i + t - half;
      if (from >= first && from < last) total += a.kernel[t] * get(a.x, from);
    }
    put(a.out, i, total);
  }
}

KERNEL convolve_rows(const hero_convolution_arguments a) {
  int first = a.starts[blockIdx.x], last = a.starts[blockIdx.x + 1], half = a.width / 2;
  for (int i = first + threadIdx.x; i < last; i += blockDim.x) {
    float total = a.accumulate_x ? get(a.dx, i) : 0.0f;
    for (int t = 0; t < a.width; t++) {
      int from = i - t + half;
      if (from >= first && from < last) total += a.kernel[t] * get(a.dy, from);
    }
    put(a.dx, i, total);
  }
}

// A block takes one element of the kernel.
KERNEL convolve_kernel(const hero_convolution_arguments a) {
  int shift = (int)blockIdx.x - a.width / 2;
  double total = 0;
  for (long long segment = threadIdx.x; segment < a.segments; segment += blockDim.x) {
    int first = a.starts[segment], last = a.starts[segment + 1];
    for (int i = first; i < last; i++)
      if (i + shift >= first && i + shift < last) total += get(a.dy, i) * get(a.x, i + shift);
  }
  total = block_sum(total);
  if (threadIdx.x == 0) put(a.d_kernel, blockIdx.x, (float)total + (a.accumulate_kernel ? get(a.d_kernel, blockIdx.x) : 0.0f));
}

KERNEL segment_softmax(const hero_pool_arguments a) {
  int first = a.starts[blockIdx.x], last = a.starts[blockIdx.x + 1];
  float most = -infinity(), total = 0;
  for (int i = first + threadIdx.x; i < last; i += blockDim.x) most = fmaxf(most, get(a.x, i));
  most = block_max(most);
  for (int i = first + threadIdx.x; i < last; i += blockDim.x) total += expf(get(a.x, i) - most);
  total = block_sum(total);
  for (int i = first + threadIdx.x; i < last; i += blockDim.x) put(a.x, i, expf(get(a.x, i) - most) / total);
}
