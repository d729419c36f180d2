// Losses; a gradient, if wanted, overwrites the logits.

// Computes one softmax cross-entropy of `columns` logits from `at` on; the block's threads share
// the work. One pass finds the sum of powers and the largest logit: a thread rescales its sum when
// its largest logit grows.
__device__ inline float entropy(
    const hero_view &logits, long long at, long long columns, int target, float smoothing, float scale, bool has_gradient) {
  // The least finite number, so that minus infinity has the power 0.
  float most = -3.402823466e38f, sum = 0, all = 0;
  for (long long c = 4 * threadIdx.x; c < columns; c += 4 * blockDim.x) {
    Four x = get_columns(logits, at, c, columns);
    int width = columns - c < 4 ? (int)(columns - c) : 4;
    float high = most;
    for (int k = 0; k < width; k++) high = fmaxf(high, x.x[k]);
    sum *= expf(most - high);
    most = high;
    for (int k = 0; k < width; k++) {
      sum += expf(x.x[k] - most);
      all += x.x[k];
    }
  }
  float high = block_max(most);
  float total = high + logf(block_sum(sum * expf(most - high))), wanted = get(logits, at + target);
  float other = columns > 1 ? smoothing / (float)(columns - 1) : 0.0f, loss = (1 - smoothing) * (total - wanted);
  if (smoothing > 0) {
    all = block_sum(all);
    // Σ t·log t of the smoothed target is the constant part of the divergence.
    loss += (1 - smoothing) * logf(1 - smoothing) + smoothing * logf(other);
    loss += other * ((float)(columns - 1) * total - (all - wanted));
  }
  __syncthreads();
  if (has_gradient)
    for (long long c = 4 * threadIdx.x; c < columns; c += 4 * blockDim.x) {
      Four x = get_columns(logits, at, c, columns);
      for (int k = 0; k < 4; k++) x.x[k] = scale * (expf(x.x[k] - total) - (c + k == target ? 1 - smoothing : other));
      put_columns(logits, at, c, columns, x);
    }
  return loss;
}

__device__ inline void clear(const hero_view &x, long long first, long long last) {
  for (long long i = first + threadIdx.x; i < last; i += blockDim.x) put(x, i, 0);
}

KERNEL cross_entropy(const hero_entropy_arguments a) {
  long long row = blockIdx.x, at = row * a.stride;
  int target = a.targets[row];
  float loss = 0;
  if (target >= 0) loss = entropy(a.logits, at, a.columns, target, a.smoothing, a.scale, a.has_gradient);
  if (a.has_gradient) clear(a.logits, target >= 0 ? at + a.columns : at, at + a.stride);
  if (threadIdx.x == 0) a.losses[row] = loss;
}

KERNEL segment_cross_entropy(const hero_entropy_arguments a) {
  long long number = blockIdx.x, segment = number % a.segments, first = a.starts[segment];
  long long columns = a.starts[segment + 1] - first, at = number / a.segments * a.stride + first;
  int target = a.targets[number];
  float loss = 0;
  if (target >= 0 && columns > 0) loss = entropy(a.logits, at, columns, target, 0, a.scale, a.has_gradient);
  else if (a.has_gradient) clear(a.logits, at, at + columns);
  if (threadIdx.x == 0) a.losses[number] = loss;
}

KERNEL binary_cross_entropy(const hero_binary_arguments a) {
  long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= a.count) return;
  int target = a.targets[i];
  float x = get(a.x, i), loss = 0, slope = 0;
  if (target >= 0) {
    // log(1 + e^x) = max(x, 0) + log(1 + e^-|x|), without overflow at either end.
    loss = (x > 0 ? x : 0.0f) + log1pf(expf(-fabsf(x))) - (target > 0 ? x : 0.0f);
    slope = (x >= 0 ? 1 / (1 + expf(-x)) : expf(x) / (1 + expf(x))) - (target > 0 ? 1.0f : 0.0f);
  }
  a.losses[i] = loss;
  if (a.has_gradient) put(a.x, i, slope * a.scale);
}

KERNEL row_distances(const hero_distance_arguments a) {
  long long start = blockIdx.x * a.columns;
  double squares = 0;
  for (long long c = threadIdx.x; c < a.columns; c += blockDim.x) {
    double d = get(a.x, start + c) - get(a.targets, start + c);
    squares += d * d;
  }
  float length = (float)sqrt(block_sum(squares));
  if (threadIdx.x == 0) a.losses[blockIdx.x] = length;
  if (!a.has_gradient) return;
  float factor = length > 0 ? a.scale / length : 0.0f;
  for (long long c = threadIdx.x; c < a.columns; c += blockDim.x)
    put(a.x, start + c, (get(a.x, start + c) - get(a.targets, start + c)) * factor);
}

// Ranking. A context negative of query m is another slot's video; a query negative of a slot is
// another slot's query.

__device__ inline float score(const hero_ranking_arguments &a, int query, int slot) {
  return get(a.scores, (long long)query * a.videos + a.slots[slot]);
}

// Ranks each negative among its kind: the hardest is 0, and ties go by the order in the batch.
KERNEL ranking_ranks(const hero_ranking_arguments a) {
  long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= (long long)a.queries * a.slot_count) return;
  int query = (int)(i / a.slot_count), slot = (int)(i % a.slot_count), own = query / a.per_slot, rank = 0;
  if (own == slot) return;
  float x = score(a, query, slot);
  // Ties go by the scores' places in the matrix, then by the slots.
  for (int other = 0; other < a.slot_count; other++) {
    if (other == own || other == slot) continue;
    float y = score(a, query, other);
    bool first = a.slots[other] != a.slots[slot] ? a.slots[other] < a.slots[slot] : other < slot;
    rank += y > x || (y == x && first);
  }
  a.context_ranks[i] = rank;
  rank = 0;
  for (int other = 0; other < a.queries; other++) {
    if (other / a.per_slot == slot || other == query) continue;
    float y = score(a, other, slot);
    rank += y > x || (y == x && other < query);
  }
  a.query_ranks[i] = rank;
}

// Returns the weight of a negative in the mean of `count` negatives.
__device__ inline float negative_weight(const hero_ranking_arguments &a, const int *ranks, long long at, int drawn, int count) {
  if (a.drawn) return ranks[at] == drawn ? 1.0f / (float)a.queries : 0.0f;
  float mean = 1.0f / (float)a.queries / (float)count;
  if (a.pool_size < 0) return mean;
  return mean * (ranks[at] < a.pool_size ? a.pool_weight : 0.1f);
}

__device__ inline float context_weight(const hero_ranking_arguments &a, int query, int slot) {
  long long at = (long long)query * a.slot_count + slot;
  return negative_weight(a, a.context_ranks, at, a.drawn ? a.drawn[query] : 0, a.slot_count - 1);
}

__device__ inline float query_weight(const hero_ranking_arguments &a, int query, int slot) {
  long long at = (long long)query * a.slot_count + slot;
  int drawn = a.drawn ? a.drawn[a.queries + slot] : 0;
  return negative_weight(a, a.query_ranks, at, drawn, (a.slot_count - 1) * a.per_slot);
}

__device__ inline float rank_loss(const hero_ranking_arguments &a, float difference) {
  // No maximum here: it would turn NaN into 0.
  if (a.is_hinge) return a.margin + difference < 0 ? 0.0f : a.margin + difference;
  return difference > 0 ? difference + log1pf(expf(-difference)) : log1pf(expf(difference));
}

__device__ inline float rank_slope(const hero_ranking_arguments &a, float difference) {
  if (a.is_hinge) return a.margin + difference > 0 ? 1.0f : 0.0f;
  return 1 / (1 + expf(-difference));
}

KERNEL ranking_losses(const hero_ranking_arguments a) {
  double context = 0, query = 0;
  for (int m = threadIdx.x; m < a.queries; m += blockDim.x) {
    int own = m / a.per_slot;
    float positive = score(a, m, own), sum = 0;
    for (int slot = 0; slot < a.slot_count; slot++)
      if (slot != own) sum += context_weight(a, m, slot) * rank_loss(a, score(a, m, slot) - positive);
    context += sum;
    sum = 0;
    for (int n = 0; n < a.queries; n++)
      if (n / a.per_slot != own) sum += query_weight(a, n, own) * rank_loss(a, score(a, n, own) - positive);
    query += sum;
  }
  context = block_sum(context);
  query = block_sum(query);
  if (threadIdx.x == 0) {
    a.losses[0] = context;
    a.losses[1] = query;
  }
}

// Each thread gathers the whole gradient of one element, so that no two threads write to one place.
KERNEL ranking_gradient(const hero_ranking_arguments a) {
  long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= (long long)a.queries * a.videos) return;
  int m = (int)(i / a.videos), video = (int)(i % a.videos), own = m / a.per_slot;
  float positive = score(a, m, own), context = 0, query = 0;
  for (int slot = 0; slot < a.slot_count; slot++) {
    if (slot != own) {
      float part = 0;
      bool is_negative = a.slots[slot] == video, is_positive = a.slots[own] == video;
      if (is_negative || is_positive) part = context_weight(a, m, slot) * rank_slope(a, score(a, m, slot) - positive);
      if (is_negative) context += part;
      if (is_positive) context -= part;
    }
    if (a.slots[slot] != video) continue;
    float x = score(a, m, slot);
    if (slot == own) {
      for (int n = 0; n < a.queries; n++)
        if (n / a.per_slot != own) query -= query_weight(a, n, slot) * rank_slope(a, score(a, n, slot) - x);
    } else {
      for (int p = slot * a.per_slot; p < (slot + 1) * a.per_slot; p++)
        query += query_weight(a, m, slot) * rank_slope(a, x - score(a, p, slot));
    }
  }
  a.gradient[i] = a.context_weight * context + a.query_weight * query;
}
