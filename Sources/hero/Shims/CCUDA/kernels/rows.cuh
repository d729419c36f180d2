// Operations on rows: a block has one.

KERNEL gather_sum(const hero_gather_arguments a) {
  long long row = blockIdx.x, start = row * a.columns;
  long long from[4];
  for (int t = 0; t < 4; t++) {
    long long index = t < a.term_count ? (a.terms[t].indices ? (long long)a.terms[t].indices[row] : row) : -1;
    from[t] = index < 0 ? -1 : index * a.columns;
  }
  for (long long c = 4 * threadIdx.x; c < a.columns; c += 4 * blockDim.x) {
    long long width = a.columns - c < 4 ? a.columns - c : 4;
    Four sum = {{0, 0, 0, 0}};
    if (width == 4) {
      if (a.accumulate) sum = get_four(a.out, start + c);
      for (int t = 0; t < 4; t++) {
        if (from[t] < 0) continue;
        Four x = get_four(a.terms[t].table, from[t] + c);
        for (int k = 0; k < 4; k++) sum.x[k] += x.x[k];
      }
      put_four(a.out, start + c, sum);
    } else {
      for (long long k = c; k < c + width; k++) {
        float x = a.accumulate ? get(a.out, start + k) : 0.0f;
        for (int t = 0; t < 4; t++)
          if (from[t] >= 0) x += get(a.terms[t].table, from[t] + k);
        put(a.out, start + k, x);
      }
    }
  }
}

// The first of a stretch's rows with the same index adds them all up.
KERNEL scatter_parts(const hero_scatter_arguments a) {
  __shared__ int indices[HERO_SCATTER_STRETCH];
  long long row = blockIdx.x, first = row / HERO_SCATTER_STRETCH * HERO_SCATTER_STRETCH;
  int count = (int)(a.rows - first < HERO_SCATTER_STRETCH ? a.rows - first : HERO_SCATTER_STRETCH);
  for (int i = threadIdx.x; i < count; i += blockDim.x) indices[i] = a.indices[first + i];
  __syncthreads();
  int own = (int)(row - first), index = indices[own];
  bool leads = index >= 0;
  for (int i = 0; i < own; i++) leads = leads && indices[i] != index;
  if (threadIdx.x == 0) a.leaders[row] = leads ? index : -1;
  if (!leads) return;
  for (long long c = threadIdx.x; c < a.columns; c += blockDim.x) {
    float sum = 0;
    for (int i = own; i < count; i++)
      if (indices[i] == index) sum += get(a.from, (first + i) * a.columns + c);
    a.parts[row * a.columns + c] = sum;
  }
}

// The first of all leaders of an index adds the stretches' sums to its row.
KERNEL scatter_add(const hero_scatter_arguments a) {
  __shared__ int found[128];
  __shared__ int count;
  long long row = blockIdx.x;
  int index = a.leaders[row];
  if (index < 0) return;
  int before = 0;
  for (long long r = threadIdx.x; r < row; r += blockDim.x) before |= a.leaders[r] == index;
  if (block_sum(before) != 0) return;
  for (long long start = row; start < a.rows; start += blockDim.x) {
    long long mine = start + threadIdx.x;
    __syncthreads();
    found[threadIdx.x] = mine < a.rows && a.leaders[mine] == index;
    __syncthreads();
    if (threadIdx.x == 0) {
      count = 0;
      for (int i = 0; i < (int)blockDim.x; i++)
        if (found[i]) found[count++] = i;
    }
    __syncthreads();
    for (long long c = threadIdx.x; c < a.columns; c += blockDim.x) {
      if (count == 0) break;
      float sum = 0;
      for (int i = 0; i < count; i++) sum += a.parts[(start + found[i]) * a.columns + c];
      long long to = (long long)index * a.columns + c;
      put(a.to, to, get(a.to, to) + sum);
    }
  }
}

KERNEL transpose(const hero_transpose_arguments a) {
  long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= a.rows * a.columns) return;
  put(a.out, i % a.columns * a.rows + i / a.columns, get(a.x, i));
}

KERNEL layer_norm(const hero_norm_arguments a) {
  long long row = blockIdx.x, start = row * a.columns;
  float total = 0;
  for_columns(a.inner, row, a.columns, [&](long long c, float factor) {
    float x = get(a.x, start + c) * factor;
    if (a.residual.data) x += get(a.residual, start + c);
    if (a.keeps_sum) {
      put(a.sum, start + c, x);
      x = get(a.sum, start + c);
    }
    total += x;
  });
  float mean = block_sum(total) / (float)a.columns, squares = 0;
  hero_drop none = {0, 0, 0, 0, 0};
  // The same thread has the same columns: what it wrote it may read.
  for_columns(none, row, a.columns, [&](long long c, float) {
    float d = get(a.sum, start + c) - mean;
    squares += d * d;
  });
  float inverse = 1.0f / sqrtf(block_sum(squares) / (float)a.columns + a.epsilon);
  if (threadIdx.x == 0) {
    a.statistics[row] = mean;
    a.statistics[a.rows + row] = inverse;
  }
  for_columns(a.outer, row, a.columns, [&](long long c, float factor) {
    float hat = (get(a.sum, start + c) - mean) * inverse;
    put(a.out, start + c, (hat * a.gamma[c] + a.beta[c]) * factor);
  });
}

KERNEL layer_norm_backward(const hero_norm_backward_arguments a) {
  long long row = blockIdx.x, start = row * a.columns;
  float mean = a.statistics[row], inverse = a.statistics[a.rows + row], along = 0, total = 0;
  for_columns(a.outer, row, a.columns, [&](long long c, float factor) {
    float w = get(a.dy, start + c) * factor * a.gamma[c];
    along += w * (get(a.sum, start + c) - mean) * inverse;
    total += w;
  });
  along = block_sum(along) / (float)a.columns;
  total = block_sum(total) / (float)a.columns;
  u32 groups = (u32)((a.columns + GROUP - 1) / GROUP);
  for (u32 unit = threadIdx.x; unit < groups * GROUP_LANES; unit += blockDim.x) {
    u32 group = unit / GROUP_LANES, lane = unit % GROUP_LANES;
    Words inner = {{0, 0, 0, 0}}, outer = inner;
    if (a.inner.threshold) inner = drop_words(a.inner, (u32)row, group, groups, lane);
    if (a.outer.threshold) outer = drop_words(a.outer, (u32)row, group, groups, lane);
    for (int slot = 0; slot < GROUP_SLOTS; slot++) {
      long long c = (long long)group * GROUP + slot * GROUP_LANES + lane, at = start + c;
      if (c >= a.columns) break;
      float g = get(a.dy, at) * (a.outer.threshold ? drop_factor(a.outer, outer, slot) : 1.0f);
      float hat = (get(a.sum, at) - mean) * inverse;
      float d = (g * a.gamma[c] - total - hat * along) * inverse;
      if (a.d_residual.data) put(a.d_residual, at, a.accumulate_residual ? get(a.d_residual, at) + d : d);
      if (!a.dx.data) continue;
      if (a.inner.threshold) d *= drop_factor(a.inner, inner, slot);
      put(a.dx, at, a.accumulate_x ? get(a.dx, at) + d : d);
    }
  }
}

// Gradients of gamma and beta over some of the rows: 16 lanes of one group of columns by 8 lines of rows.
KERNEL layer_norm_weights(const hero_norm_backward_arguments a) {
  __shared__ float sums[8][2][GROUP];
  u32 lane = threadIdx.x % GROUP_LANES, line = threadIdx.x / GROUP_LANES, group = blockIdx.x;
  u32 groups = (u32)((a.columns + GROUP - 1) / GROUP);
  long long first = blockIdx.y * a.rows_per_part;
  long long last = first + a.rows_per_part < a.rows ? first + a.rows_per_part : a.rows;
  float gamma[GROUP_SLOTS], beta[GROUP_SLOTS];
#pragma unroll
  for (int slot = 0; slot < GROUP_SLOTS; slot++) gamma[slot] = beta[slot] = 0;
  for (long long row = first + line; row < last; row += 8) {
    float mean = a.statistics[row], inverse = a.statistics[a.rows + row];
    Words words = {{0, 0, 0, 0}};
    if (a.outer.threshold) words = drop_words(a.outer, (u32)row, group, groups, lane);
#pragma unroll
    for (int slot = 0; slot < GROUP_SLOTS; slot++) {
      long long c = (long long)group * GROUP + slot * GROUP_LANES + lane, at = row * a.columns + c;
      if (c < a.columns) {
        float g = get(a.dy, at) * (a.outer.threshold ? drop_factor(a.outer, words, slot) : 1.0f);
        gamma[slot] += g * (get(a.sum, at) - mean) * inverse;
        beta[slot] += g;
      }
    }
  }
#pragma unroll
  for (int slot = 0; slot < GROUP_SLOTS; slot++) {
    sums[line][0][slot * GROUP_LANES + lane] = gamma[slot];
    sums[line][1][slot * GROUP_LANES + lane] = beta[slot];
  }
  __syncthreads();
  for (int i = threadIdx.x; i < 2 * GROUP; i += blockDim.x) {
    int which = i / GROUP, own = i % GROUP;
    long long c = (long long)group * GROUP + own;
    if (c >= a.columns) continue;
    float sum = 0;
    for (int k = 0; k < 8; k++) sum += sums[k][which][own];
    a.parts[(blockIdx.y * 2 + which) * a.columns + c] = sum;
  }
}

KERNEL normalize_rows(const hero_unit_arguments a) {
  long long start = blockIdx.x * a.columns;
  float squares = 0;
  for (long long c = threadIdx.x; c < a.columns; c += blockDim.x) {
    float x = get(a.x, start + c);
    squares += x * x;
  }
  float length = sqrtf(block_sum(squares)), factor = 1.0f / fmaxf(length, a.floor);
  if (threadIdx.x == 0) a.lengths[blockIdx.x] = length;
  for (long long c = threadIdx.x; c < a.columns; c += blockDim.x) put(a.out, start + c, get(a.x, start + c) * factor);
}

KERNEL normalize_rows_backward(const hero_unit_backward_arguments a) {
  long long start = blockIdx.x * a.columns;
  float length = a.lengths[blockIdx.x], inverse = 1.0f / fmaxf(length, a.floor), along = 0;
  for (long long c = threadIdx.x; c < a.columns; c += blockDim.x) along += get(a.dy, start + c) * get(a.out, start + c);
  along = block_sum(along);
  // Where the floor holds, the length is a constant.
  if (!(length > a.floor)) along = 0;
  for (long long c = threadIdx.x; c < a.columns; c += blockDim.x) {
    long long at = start + c;
    float d = inverse * (get(a.dy, at) - along * get(a.out, at));
    put(a.dx, at, a.accumulate ? get(a.dx, at) + d : d);
  }
}

// Whether (x, i) comes before (y, j): the larger first, of equals the one further left.
__device__ inline bool precedes(float x, int i, float y, int j) { return x > y || (x == y && i < j); }

// One after the other, each the first of what comes after the last.
KERNEL top(const hero_top_arguments a) {
  __shared__ float values[32];
  __shared__ int places[32];
  long long row = blockIdx.x, start = row * a.stride;
  float last = infinity();
  int last_place = -1;
  for (long long k = 0; k < a.kept; k++) {
    float best = -infinity();
    int place = 0x7FFFFFFF;
    for (long long c = threadIdx.x; c < a.columns; c += blockDim.x) {
      float x = get(a.x, start + c);
      int own = (int)(a.first_column + c);
      if (x == x && precedes(last, last_place, x, own) && precedes(x, own, best, place)) {
        best = x;
        place = own;
      }
    }
    for (long long c = threadIdx.x; c < a.earlier; c += blockDim.x) {
      float x = a.earlier_values[row * a.earlier + c];
      int own = a.earlier_places[row * a.earlier + c];
      if (own >= 0 && precedes(last, last_place, x, own) && precedes(x, own, best, place)) {
        best = x;
        place = own;
      }
    }
    for (int distance = 16; distance > 0; distance >>= 1) {
      float other = __shfl_xor_sync(0xFFFFFFFFu, best, distance);
      int other_place = __shfl_xor_sync(0xFFFFFFFFu, place, distance);
      if (precedes(other, other_place, best, place)) {
        best = other;
        place = other_place;
      }
    }
    __syncthreads();
    if (threadIdx.x % 32 == 0) {
      values[threadIdx.x / 32] = best;
      places[threadIdx.x / 32] = place;
    }
    __syncthreads();
    for (u32 warp = 0; warp < blockDim.x / 32; warp++)
      if (precedes(values[warp], places[warp], best, place)) {
        best = values[warp];
        place = places[warp];
      }
    bool none = place == 0x7FFFFFFF;
    if (threadIdx.x == 0) {
      if (a.values) {
        a.values[row * a.kept + k] = none ? -infinity() : best;
        a.places[row * a.kept + k] = none ? -1 : place;
      } else {
        a.places[row] = none ? 0 : place;
      }
    }
    last = best;
    last_place = place;
  }
}
