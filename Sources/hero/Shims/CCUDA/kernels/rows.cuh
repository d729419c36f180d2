// Operations on rows: a block has one, or several.

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

// How often each index occurs. Whole numbers may be added up in any order.
KERNEL scatter_count(const hero_scatter_arguments a) {
  long long row = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (row < a.rows && a.indices[row] >= 0) atomicAdd(a.uses + a.indices[row], 1);
}

// A row whose index is its own goes where it belongs; of the others the first of a stretch's rows
// with one index adds them all up, for scatter_add, or where a single stretch is all there is
// (`uses` is missing then), to where they belong.
KERNEL scatter_parts(const hero_scatter_arguments a) {
  __shared__ int indices[HERO_SCATTER_STRETCH];
  long long row = blockIdx.x;
  int index = a.indices[row];
  if (!a.uses && index < 0) return;
  bool isAlone = a.uses && index >= 0 && a.uses[index] == 1;
  if (index < 0 || isAlone) {
    if (threadIdx.x == 0) a.leaders[row] = -1;
    if (!isAlone) return;
    for (long long c = 4 * threadIdx.x; c < a.columns; c += 4 * blockDim.x) {
      Four x = get_columns(a.from, row * a.columns, c, a.columns);
      put_gradient(a.to, true, index * a.columns, c, a.columns, x);
    }
    return;
  }
  long long first = row / HERO_SCATTER_STRETCH * HERO_SCATTER_STRETCH;
  int count = (int)(a.rows - first < HERO_SCATTER_STRETCH ? a.rows - first : HERO_SCATTER_STRETCH);
  int own = (int)(row - first), before = 0;
  for (int i = threadIdx.x; i < count; i += blockDim.x) {
    indices[i] = a.indices[first + i];
    before |= i < own && indices[i] == index;
  }
  bool leads = block_sum(before) == 0;
  if (a.uses && threadIdx.x == 0) {
    a.leaders[row] = leads ? index : -1;
    if (leads) {
      atomicAdd(a.leads + index, 1);
      // The largest of these belongs to the first row.
      atomicMax(a.firsts + index, (int)(a.rows - row));
    }
  }
  if (!leads) return;
  for (long long c = 4 * threadIdx.x; c < a.columns; c += 4 * blockDim.x) {
    Four sum = {{0, 0, 0, 0}};
    for (int i = own; i < count; i++) {
      if (indices[i] != index) continue;
      Four x = get_columns(a.from, (first + i) * a.columns, c, a.columns);
      for (int k = 0; k < 4; k++) sum.x[k] += x.x[k];
    }
    hero_view parts = {a.parts, 0};
    if (a.uses) put_columns(parts, row * a.columns, c, a.columns, sum);
    else put_gradient(a.to, true, index * a.columns, c, a.columns, sum);
  }
}

// The first of all leaders of an index adds the stretches' sums to its row; each warp has 128
// columns at a time.
KERNEL scatter_add(const hero_scatter_arguments a) {
  long long row = blockIdx.x;
  int index = a.leaders[row], lane = threadIdx.x % 32;
  if (index < 0 || a.firsts[index] != (int)(a.rows - row)) return;
  hero_view parts = {a.parts, 0};
  for (long long base = threadIdx.x / 32 * 128; base < a.columns; base += 4 * blockDim.x) {
    long long c = base + 4 * lane;
    Four sum = {{0, 0, 0, 0}};
    int left = a.leads[index];
    for (long long start = row; left > 0; start += 512) {
      u32 hits[16];
      int leaders[16];
      // All are asked for before the first is waited for.
#pragma unroll
      for (int k = 0; k < 16; k++) {
        long long r = start + 32 * k + lane;
        leaders[k] = r < a.rows ? a.leaders[r] : -1;
      }
#pragma unroll
      for (int k = 0; k < 16; k++) hits[k] = __ballot_sync(0xFFFFFFFFu, leaders[k] == index);
#pragma unroll
      for (int k = 0; k < 16; k++)
        for (u32 rest = hits[k]; rest != 0; rest &= rest - 1) {
          Four x = get_columns(parts, (start + 32 * k + __ffs((int)rest) - 1) * a.columns, c, a.columns);
          for (int e = 0; e < 4; e++) sum.x[e] += x.x[e];
          left--;
        }
    }
    put_gradient(a.to, true, index * a.columns, c, a.columns, sum);
  }
}

KERNEL transpose(const hero_transpose_arguments a) {
  long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= a.rows * a.columns) return;
  put(a.out, i % a.columns * a.rows + i / a.columns, get(a.x, i));
}

// A norm's row lies among the threads of a warp (up to HERO_WARP_COLUMNS columns) or, where `wide`,
// of a block: thread `unit` has 4 neighbours of each of the 8 slots of a group of 128 columns. It
// keeps these 32 elements in registers and draws every bit of dropout once.
__device__ inline long long column_of(u32 unit, int slot) { return unit / 4 * GROUP + slot * GROUP_LANES + unit % 4 * 4; }

// Whether all fours of columns of a row that begins at `start` can be reached by one access each.
__device__ inline bool reaches_row(const hero_view &v, long long start, long long columns) {
  return columns % 4 == 0 && reaches(v, start);
}

// A thread's elements of a row that begins at `start`; zeros after its end. All are asked for
// before the first is waited for.
__device__ inline void get_row(const hero_view &v, long long start, u32 unit, long long columns, Four (&x)[GROUP_SLOTS]) {
  int first = (int)column_of(unit, 0);
  if (!reaches_row(v, start, columns)) {
    for (int slot = 0; slot < GROUP_SLOTS; slot++) x[slot] = get_columns(v, start, column_of(unit, slot), columns);
  } else if (v.bf16) {
    const bfloat *from = (const bfloat *)v.data + start + first;
    uint2 w[GROUP_SLOTS];
#pragma unroll
    for (int slot = 0; slot < GROUP_SLOTS; slot++) {
      w[slot].x = w[slot].y = 0;
      if (first + slot * GROUP_LANES < (int)columns) w[slot] = *(const uint2 *)(from + slot * GROUP_LANES);
    }
#pragma unroll
    for (int slot = 0; slot < GROUP_SLOTS; slot++) x[slot] = widen_four(w[slot]);
  } else {
    const float *from = (const float *)v.data + start + first;
    float4 w[GROUP_SLOTS];
#pragma unroll
    for (int slot = 0; slot < GROUP_SLOTS; slot++) {
      w[slot].x = w[slot].y = w[slot].z = w[slot].w = 0;
      if (first + slot * GROUP_LANES < (int)columns) w[slot] = *(const float4 *)(from + slot * GROUP_LANES);
    }
#pragma unroll
    for (int slot = 0; slot < GROUP_SLOTS; slot++) x[slot] = {{w[slot].x, w[slot].y, w[slot].z, w[slot].w}};
  }
}

__device__ inline void get_row(const float *from, u32 unit, long long columns, Four (&x)[GROUP_SLOTS]) {
  hero_view view = {(void *)from, 0};
  get_row(view, 0, unit, columns, x);
}

// The same for writing; x becomes what can be read again.
__device__ inline void put_row(const hero_view &v, long long start, u32 unit, long long columns, Four (&x)[GROUP_SLOTS]) {
  int first = (int)column_of(unit, 0);
  if (!v.bf16 || !reaches_row(v, start, columns)) {
#pragma unroll
    for (int slot = 0; slot < GROUP_SLOTS; slot++) x[slot] = put_columns(v, start, column_of(unit, slot), columns, x[slot]);
    return;
  }
  bfloat *to = (bfloat *)v.data + start + first;
#pragma unroll
  for (int slot = 0; slot < GROUP_SLOTS; slot++) {
    uint2 w = narrow_four(x[slot]);
    x[slot] = widen_four(w);
    if (first + slot * GROUP_LANES < (int)columns) *(uint2 *)(to + slot * GROUP_LANES) = w;
  }
}

template <bool wide> __device__ inline float row_sum(float x) { return wide ? block_sum(x) : warp_sum(x); }

__device__ inline void drop_columns(const hero_dropout &drop, long long row, long long columns, u32 unit, Four (&x)[GROUP_SLOTS]) {
  u32 groups = (u32)((columns + GROUP - 1) / GROUP);
  if (!drop.threshold || unit / 4 >= groups) return;
#pragma unroll
  for (int k = 0; k < 4; k++) {
    Words words = drop_words(drop, (u32)row, unit / 4, groups, unit % 4 * 4 + k);
#pragma unroll
    for (int slot = 0; slot < GROUP_SLOTS; slot++) x[slot].x[k] *= drop_factor(drop, words, slot);
  }
}

template <bool wide> __device__ inline void norm_row(const hero_norm_arguments &a) {
  u32 unit = wide ? threadIdx.x : threadIdx.x % 32;
  long long row = wide ? blockIdx.x : (long long)blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
  if (row >= a.rows) return;
  long long start = row * a.columns;
  Four x[GROUP_SLOTS], other[GROUP_SLOTS];
  float total = 0, squares = 0;
  get_row(a.x, start, unit, a.columns, x);
  if (a.residual.data) get_row(a.residual, start, unit, a.columns, other);
  drop_columns(a.inner, row, a.columns, unit, x);
  if (a.residual.data) {
#pragma unroll
    for (int slot = 0; slot < GROUP_SLOTS; slot++)
      for (int k = 0; k < 4; k++) x[slot].x[k] += other[slot].x[k];
  }
  if (a.keeps_sum) put_row(a.sum, start, unit, a.columns, x);
#pragma unroll
  for (int slot = 0; slot < GROUP_SLOTS; slot++)
    for (int k = 0; k < 4; k++) total += x[slot].x[k];
  float mean = row_sum<wide>(total) / (float)a.columns;
#pragma unroll
  for (int slot = 0; slot < GROUP_SLOTS; slot++)
    for (int k = 0; k < 4; k++) {
      x[slot].x[k] -= mean;
      if (column_of(unit, slot) + k < a.columns) squares += x[slot].x[k] * x[slot].x[k];
    }
  float inverse = 1.0f / sqrtf(row_sum<wide>(squares) / (float)a.columns + a.epsilon);
  if (unit == 0) {
    a.statistics[row] = mean;
    a.statistics[a.rows + row] = inverse;
  }
  get_row(a.gamma, unit, a.columns, other);
#pragma unroll
  for (int slot = 0; slot < GROUP_SLOTS; slot++)
    for (int k = 0; k < 4; k++) x[slot].x[k] *= inverse * other[slot].x[k];
  get_row(a.beta, unit, a.columns, other);
#pragma unroll
  for (int slot = 0; slot < GROUP_SLOTS; slot++)
    for (int k = 0; k < 4; k++) x[slot].x[k] += other[slot].x[k];
  drop_columns(a.outer, row, a.columns, unit, x);
  put_row(a.out, start, unit, a.columns, x);
}

KERNEL BOUNDED(256) layer_norm(const hero_norm_arguments a) { norm_row<false>(a); }
KERNEL BOUNDED(256) layer_norm_wide(const hero_norm_arguments a) { norm_row<true>(a); }

// The sums of all lines of a block, in their order, as one row of a part's.
__device__ inline void put_line_sums(const Four (&x)[GROUP_SLOTS], float *to, long long columns) {
  __shared__ float sums[8][HERO_WARP_COLUMNS];
  u32 unit = threadIdx.x % 32, line = threadIdx.x / 32;
  __syncthreads();
#pragma unroll
  for (int slot = 0; slot < GROUP_SLOTS; slot++)
    for (int k = 0; k < 4; k++)
      if (column_of(unit, slot) + k < columns) sums[line][column_of(unit, slot) + k] = x[slot].x[k];
  __syncthreads();
  for (long long c = threadIdx.x; c < columns; c += blockDim.x) {
    float sum = 0;
    for (u32 i = 0; i < blockDim.x / 32; i++) sum += sums[i][c];
    to[c] = sum;
  }
}

// Writes a thread's elements of a gradient's row, or adds them to what is there.
__device__ inline void add_row(
    const hero_view &v, bool accumulate, long long start, u32 unit, long long columns, const Four (&x)[GROUP_SLOTS]) {
  Four sum[GROUP_SLOTS];
  if (accumulate) get_row(v, start, unit, columns, sum);
#pragma unroll
  for (int slot = 0; slot < GROUP_SLOTS; slot++)
    for (int k = 0; k < 4; k++) sum[slot].x[k] = accumulate ? sum[slot].x[k] + x[slot].x[k] : x[slot].x[k];
  put_row(v, start, unit, columns, sum);
}

// A block has some rows (a warp every eighth of them), and adds up what they give the weights.
template <bool wide> __device__ inline void norm_gradients(const hero_norm_backward_arguments &a) {
  u32 unit = wide ? threadIdx.x : threadIdx.x % 32, lines = wide ? 1 : blockDim.x / 32;
  long long first = blockIdx.x * a.rows_per_part;
  long long last = first + a.rows_per_part < a.rows ? first + a.rows_per_part : a.rows;
  Four gammas[GROUP_SLOTS], betas[GROUP_SLOTS];
#pragma unroll
  for (int slot = 0; slot < GROUP_SLOTS; slot++)
    for (int k = 0; k < 4; k++) gammas[slot].x[k] = betas[slot].x[k] = 0;
  for (long long row = first + (wide ? 0 : threadIdx.x / 32); row < last; row += lines) {
    long long start = row * a.columns;
    float mean = a.statistics[row], inverse = a.statistics[a.rows + row], along = 0, total = 0;
    Four d[GROUP_SLOTS], hat[GROUP_SLOTS], other[GROUP_SLOTS];
    get_row(a.dy, start, unit, a.columns, d);
    get_row(a.sum, start, unit, a.columns, hat);
    get_row(a.gamma, unit, a.columns, other);
    drop_columns(a.outer, row, a.columns, unit, d);
#pragma unroll
    for (int slot = 0; slot < GROUP_SLOTS; slot++)
      for (int k = 0; k < 4; k++) {
        hat[slot].x[k] = (hat[slot].x[k] - mean) * inverse;
        gammas[slot].x[k] += d[slot].x[k] * hat[slot].x[k];
        betas[slot].x[k] += d[slot].x[k];
        d[slot].x[k] *= other[slot].x[k];
        along += d[slot].x[k] * hat[slot].x[k];
        total += d[slot].x[k];
      }
    along = row_sum<wide>(along) / (float)a.columns;
    total = row_sum<wide>(total) / (float)a.columns;
#pragma unroll
    for (int slot = 0; slot < GROUP_SLOTS; slot++)
      for (int k = 0; k < 4; k++) d[slot].x[k] = (d[slot].x[k] - total - hat[slot].x[k] * along) * inverse;
    if (a.d_residual.data) add_row(a.d_residual, a.accumulate_residual, start, unit, a.columns, d);
    if (!a.dx.data) continue;
    drop_columns(a.inner, row, a.columns, unit, d);
    add_row(a.dx, a.accumulate_x, start, unit, a.columns, d);
  }
  float *parts = a.parts + blockIdx.x * 2 * a.columns;
  if (wide) {
    hero_view to = {parts, 0};
    for (int slot = 0; slot < GROUP_SLOTS; slot++) {
      put_columns(to, 0, column_of(unit, slot), a.columns, gammas[slot]);
      put_columns(to, a.columns, column_of(unit, slot), a.columns, betas[slot]);
    }
  } else {
    put_line_sums(gammas, parts, a.columns);
    put_line_sums(betas, parts + a.columns, a.columns);
  }
}

KERNEL BOUNDED(256) layer_norm_backward(const hero_norm_backward_arguments a) { norm_gradients<false>(a); }
KERNEL BOUNDED(256) layer_norm_backward_wide(const hero_norm_backward_arguments a) { norm_gradients<true>(a); }

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
