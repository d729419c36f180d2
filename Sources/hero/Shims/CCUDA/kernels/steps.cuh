// Sequences that grow by a row a step, as a decoder's do. Their places lie in the device's memory,
// so that one graph of kernels makes every step.

// A warp takes one head of one sequence. For the scores, each lane has one of 32 keys at a time;
// for the sums of the values, it has every 32nd column.
KERNEL step_attention(const hero_step_attention_arguments a) {
  __shared__ float queries[4][128], weights[4][32];
  int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  long long item = blockIdx.x * 4ll + warp;
  if (item >= a.sequences * a.heads) return;
  long long sequence = item / a.heads, width = (long long)a.heads * a.head, column = item % a.heads * a.head;
  long long own = sequence * 3 * width + column, first = sequence * a.capacity, last = a.places[sequence];
  float *query = queries[warp], *weight = weights[warp];
  for (int c = lane; c < 128; c += 32) {
    query[c] = c < a.head ? get(a.rows, own + c) : 0.0f;
    if (c >= a.head) continue;
    put(a.cache, last * 2 * width + column + c, get(a.rows, own + width + c));
    put(a.cache, (last * 2 + 1) * width + column + c, get(a.rows, own + 2 * width + c));
  }
  __syncwarp();
  float most = -infinity(), total = 0, sums[4] = {0, 0, 0, 0};
  for (long long from = first; from <= last; from += 32) {
    bool isThere = from + lane <= last;
    float score = -infinity();
    if (isThere) {
      float dot = 0;
      for (int c = 0; c < a.head; c += 4) {
        Four key = get_columns(a.cache, (from + lane) * 2 * width + column, c, a.head);
#pragma unroll
        for (int k = 0; k < 4; k++) dot += query[c + k] * key.x[k];
      }
      score = dot * a.scale;
    }
    float high = fmaxf(most, warp_max(score)), again = exponential(most - high);
    float p = isThere ? exponential(score - high) : 0.0f;
    most = high;
    total = total * again + warp_sum(p);
    weight[lane] = p;
    __syncwarp();
#pragma unroll
    for (int i = 0; i < 4; i++) sums[i] *= again;
    int count = last - from < 31 ? (int)(last - from) + 1 : 32;
    for (int k = 0; k < count; k++) {
      long long value = ((from + k) * 2 + 1) * width + column;
#pragma unroll
      for (int i = 0; i < 4; i++)
        if (lane + 32 * i < a.head) sums[i] += weight[k] * get(a.cache, value + lane + 32 * i);
    }
    __syncwarp();
  }
#pragma unroll
  for (int i = 0; i < 4; i++)
    if (lane + 32 * i < a.head) put(a.out, sequence * width + column + lane + 32 * i, sums[i] / total);
}

KERNEL append_numbers(const hero_append_arguments a) {
  long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= a.count) return;
  if (a.log) a.log[a.places[i]] = a.numbers[i];
  a.places[i]++;
  a.counters[i]++;
}
