// Softmax attention of one head over one sequence, in float32 between what is read and what is written.

// to[columns x padded(rows)] = fromᵀ, zero-padded.
INLINE EITHER void pack_transposed(float *to, const VALUE *from, long ld, long rows, long columns) {
  long width = hero_padded(rows);
  for (long c = 0; c < columns; c++) {
    for (long r = 0; r < rows; r++) to[c * width + r] = number(from + r * ld + c);
    for (long r = rows; r < width; r++) to[c * width + r] = 0;
  }
}

// from's rows as floats, zero-padded to a multiple of 16 columns; from itself where there is nothing to be done.
INLINE EITHER const float *pack(float *to, long *ld_to, const VALUE *from, long ld, long rows, long columns) {
  long width = hero_padded(columns);
  const float *whole = readable(from, to, 0);
  if (width == columns && whole != to) {
    *ld_to = ld;
    return whole;
  }
  for (long r = 0; r < rows; r++) {
    take(to + r * width, from + r * ld, columns);
    memset(to + r * width + columns, 0, (size_t)(width - columns) * sizeof *to);
  }
  *ld_to = width;
  return to;
}

// Puts a product's rows where they are kept, unless they lie there already.
INLINE EITHER void unpack(VALUE *to, long ld, const float *from, long width, long rows, long columns) {
  for (long r = 0; r < rows; r++) give(to + r * ld, from + r * width, columns);
}

// Where a product of `columns` columns can be written: to itself, or where that has gaps or is not of floats, to `room`.
INLINE EITHER float *product_room(VALUE *to, long *ld_room, long ld, float *room, long columns) {
  float *direct = workable(to, room);
  bool fits = direct != room && hero_padded(columns) == columns;
  *ld_room = fits ? ld : hero_padded(columns);
  return fits ? direct : room;
}

static void NAME(attention)(void *out, long ld_out, void *probabilities, const void *q, long ldq, const void *k,
                            const void *v, long ldk, long query_count, long key_count, long head, float scale_by,
                            bool causal, long drop_first_row, const hero_dropout *drop, float *scratch) {
  long keys = hero_padded(key_count), width = hero_padded(head), ld;
  float *transposed = scratch, *values = transposed + head * keys, *result = values + key_count * width;
  float *dropped = result + query_count * width, *scores = dropped + query_count * keys;
  scores = workable((VALUE *)probabilities, scores);
  pack_transposed(transposed, (const VALUE *)k, ldk, key_count, head);
  const float *left = readable((const VALUE *)q, result, 0);
  if (left == result) left = pack(result, &ldq, (const VALUE *)q, ldq, query_count, head);
  product(query_count, keys, head, left, ldq, 1, transposed, keys, scores, keys);
  for (long i = 0; i < query_count; i++) {
    float *row = scores + i * keys;
    VALUE *kept_row = (VALUE *)probabilities + i * keys;
    long seen = causal && i + 1 < key_count ? i + 1 : key_count;
    float top = -INFINITY;
    for (long j = 0; j < seen; j++) top = row[j] > top ? row[j] : top;
    vf total = 0;
    for (long j = 0; j < keys; j += LANES) {
      vf e = j < seen ? first_lanes(vexp((load(row + j) - top) * scale_by), seen - j) : (vf)0;
      total += e;
      store(row + j, e);
    }
    float inverse = 1.0f / hsum(total);
    for (long j = 0; j < keys; j += LANES) store(row + j, kept(kept_row, load(row + j) * inverse));
    give(kept_row, row, keys);
  }
  const float *weights = scores;
  if (drops(drop)) {
    memcpy(dropped, scores, (size_t)(query_count * keys) * sizeof *dropped);
    for (long i = 0; i < query_count; i++) drop_row(dropped + i * keys, drop_first_row + i, keys, drop);
    weights = dropped;
  }
  long ldv;
  const float *packed = pack(values, &ldv, (const VALUE *)v, ldk, key_count, head);
  float *to = product_room((VALUE *)out, &ld, ld_out, result, head);
  product(query_count, width, key_count, weights, keys, 1, packed, ldv, to, ld);
  if (to == result) unpack((VALUE *)out, ld_out, result, width, query_count, head);
}

// Writes (never adds to) dq, dk and dv. With P the probabilities, D their dropout factors, S = scale * Q Kᵀ:
// dV = (P D)ᵀ dO, dP = D * (dO Vᵀ), dS = P (dP - rowsum(P dP)), dQ = scale * dS K, dK = scale * dSᵀ Q.
static void NAME(attention_backward)(void *dq, long ld_dq, void *dk, void *dv, long ld_dk, const void *d_out,
                                     long ld_out, const void *probabilities, const void *q, long ldq, const void *k,
                                     const void *v, long ldk, long query_count, long key_count, long head,
                                     float scale_by, long drop_first_row, const hero_dropout *drop, float *scratch) {
  long keys = hero_padded(key_count), width = hero_padded(head), most = query_count > key_count ? query_count : key_count;
  float *transposed = scratch, *padded = transposed + head * keys, *result = padded + most * width;
  float *weights = result + most * width, *slopes = weights + query_count * keys;
  for (long i = 0; i < query_count; i++) {
    take(weights + i * keys, (const VALUE *)probabilities + i * keys, keys);
    if (drops(drop)) drop_row(weights + i * keys, drop_first_row + i, keys, drop);
  }

  long ld, ld_to;
  const float *packed = pack(padded, &ld, (const VALUE *)d_out, ld_out, query_count, head);
  float *to = product_room((VALUE *)dv, &ld_to, ld_dk, result, head);
  product(key_count, width, query_count, weights, 1, keys, packed, ld, to, ld_to);
  if (to == result) unpack((VALUE *)dv, ld_dk, result, width, key_count, head);

  pack_transposed(transposed, (const VALUE *)v, ldk, key_count, head);
  product(query_count, keys, head, packed, ld, 1, transposed, keys, slopes, keys);
  for (long i = 0; i < query_count; i++) {
    // The dropped probabilities have been used; their room takes the row as floats.
    const float *p = readable((const VALUE *)probabilities + i * keys, weights, keys);
    float *row = slopes + i * keys;
    if (drops(drop)) drop_row(row, drop_first_row + i, keys, drop);
    float along = dot(p, row, keys);
    for (long j = 0; j < keys; j += LANES) store(row + j, load(p + j) * (load(row + j) - along) * scale_by);
  }

  packed = pack(padded, &ld, (const VALUE *)k, ldk, key_count, head);
  to = product_room((VALUE *)dq, &ld_to, ld_dq, result, head);
  product(query_count, width, key_count, slopes, keys, 1, packed, ld, to, ld_to);
  if (to == result) unpack((VALUE *)dq, ld_dq, result, width, query_count, head);

  packed = pack(padded, &ld, (const VALUE *)q, ldq, query_count, head);
  to = product_room((VALUE *)dk, &ld_to, ld_dk, result, head);
  product(key_count, width, query_count, slopes, 1, keys, packed, ld, to, ld_to);
  if (to == result) unpack((VALUE *)dk, ld_dk, result, width, key_count, head);
}
