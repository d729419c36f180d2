// Softmax attention of one head over one sequence.

// to[columns x padded(rows)] = fromᵀ, zero-padded.
INLINE void pack_transposed(float *to, const float *from, long ld, long rows, long columns) {
  long width = hero_padded(rows);
  for (long c = 0; c < columns; c++) {
    for (long r = 0; r < rows; r++) to[c * width + r] = from[r * ld + c];
    for (long r = rows; r < width; r++) to[c * width + r] = 0;
  }
}

// Returns from's rows, zero-padded to a multiple of 16 columns; from itself if it needs no padding.
INLINE const float *pack(float *to, long *ld_to, const float *from, long ld, long rows, long columns) {
  long width = hero_padded(columns);
  if (width == columns) {
    *ld_to = ld;
    return from;
  }
  for (long r = 0; r < rows; r++) {
    memcpy(to + r * width, from + r * ld, (size_t)columns * sizeof *to);
    memset(to + r * width + columns, 0, (size_t)(width - columns) * sizeof *to);
  }
  *ld_to = width;
  return to;
}

INLINE void unpack(float *to, long ld, const float *from, long width, long rows, long columns) {
  for (long r = 0; r < rows; r++) memcpy(to + r * ld, from + r * width, (size_t)columns * sizeof *to);
}

static void attention_of_floats(void *to, long ld_out, void *kept_probabilities, const void *queries, long ldq,
                                const void *key_rows, const void *value_rows, long ldk, long query_count,
                                long key_count, long head, float scale_by, bool causal, long drop_first_row,
                                const hero_dropout *drop, float *scratch) {
  float *out = to, *probabilities = kept_probabilities;
  const float *q = queries, *k = key_rows, *v = value_rows;
  long keys = hero_padded(key_count), width = hero_padded(head);
  float *transposed = scratch, *values = transposed + head * keys, *result = values + key_count * width;
  float *dropped = result + query_count * width;
  pack_transposed(transposed, k, ldk, key_count, head);
  product(query_count, keys, head, q, ldq, 1, transposed, keys, probabilities, keys);
  for (long i = 0; i < query_count; i++) {
    float *row = probabilities + i * keys;
    long seen = causal && i + 1 < key_count ? i + 1 : key_count;
    float inverse = 1.0f / exponentials(row, keys, seen, scale_by);
    for (long j = 0; j < keys; j += LANES) store(row + j, load(row + j) * inverse);
  }
  const float *weights = probabilities;
  if (drops(drop)) {
    memcpy(dropped, probabilities, (size_t)(query_count * keys) * sizeof *dropped);
    for (long i = 0; i < query_count; i++) drop_row(dropped + i * keys, drop_first_row + i, keys, drop);
    weights = dropped;
  }
  long ldv;
  const float *packed = pack(values, &ldv, v, ldk, key_count, head);
  if (width == head) {
    product(query_count, width, key_count, weights, keys, 1, packed, ldv, out, ld_out);
  } else {
    product(query_count, width, key_count, weights, keys, 1, packed, ldv, result, width);
    unpack(out, ld_out, result, width, query_count, head);
  }
}

// Writes (never adds to) dq, dk and dv. With P the probabilities, D their dropout factors, S =
// scale * Q Kᵀ: dV = (P D)ᵀ dO, dP = D * (dO Vᵀ), dS = P (dP - rowsum(P dP)), dQ = scale * dS K, dK
// = scale * dSᵀ Q.
static void attention_backward_of_floats(void *d_queries, long ld_dq, void *d_keys, void *d_values, long ld_dk,
                                         const void *dy, long ld_out, const void *kept_probabilities,
                                         const void *queries, long ldq, const void *key_rows, const void *value_rows,
                                         long ldk, long query_count, long key_count, long head, float scale_by,
                                         long drop_first_row, const hero_dropout *drop, float *scratch) {
  float *dq = d_queries, *dk = d_keys, *dv = d_values;
  const float *d_out = dy, *probabilities = kept_probabilities, *q = queries, *k = key_rows, *v = value_rows;
  long keys = hero_padded(key_count), width = hero_padded(head), most = query_count > key_count ? query_count : key_count;
  float *transposed = scratch, *padded = transposed + head * keys, *result = padded + most * width;
  float *weights = result + most * width, *slopes = weights + query_count * keys;
  bool exact = width == head;
  memcpy(weights, probabilities, (size_t)(query_count * keys) * sizeof *weights);
  if (drops(drop))
    for (long i = 0; i < query_count; i++) drop_row(weights + i * keys, drop_first_row + i, keys, drop);

  long ld;
  const float *packed = pack(padded, &ld, d_out, ld_out, query_count, head);
  product(key_count, width, query_count, weights, 1, keys, packed, ld, exact ? dv : result, exact ? ld_dk : width);
  if (!exact) unpack(dv, ld_dk, result, width, key_count, head);

  pack_transposed(transposed, v, ldk, key_count, head);
  product(query_count, keys, head, d_out, ld_out, 1, transposed, keys, slopes, keys);
  for (long i = 0; i < query_count; i++) {
    const float *p = probabilities + i * keys;
    float *row = slopes + i * keys;
    if (drops(drop)) drop_row(row, drop_first_row + i, keys, drop);
    float along = dot(p, row, keys);
    for (long j = 0; j < keys; j += LANES) store(row + j, load(p + j) * (load(row + j) - along) * scale_by);
  }

  packed = pack(padded, &ld, k, ldk, key_count, head);
  product(query_count, width, key_count, slopes, keys, 1, packed, ld, exact ? dq : result, exact ? ld_dq : width);
  if (!exact) unpack(dq, ld_dq, result, width, query_count, head);

  packed = pack(padded, &ld, q, ldq, query_count, head);
  product(key_count, width, query_count, slopes, 1, keys, packed, ld, exact ? dk : result, exact ? ld_dk : width);
  if (!exact) unpack(dk, ld_dk, result, width, key_count, head);
}
