// Softmax attention of one head over one sequence in bfloat16. Products multiply bfloat16, the
// probabilities and their gradients included; sums and the softmax itself are float32.

typedef struct {
  uint32_t *left, *right;      // packed factors
  float *scores, *weights;     // [queries x padded keys]
} bf16_head;

INLINE bf16_head bf16_head_room(float *scratch, long query_count, long key_count, long head) {
  long queries = hero_padded(query_count), keys = hero_padded(key_count), width = hero_padded(head);
  float *right = scratch + queries * (width + keys) / 2, *scores = right + (queries + keys) * width / 2;
  return (bf16_head){(uint32_t *)scratch, (uint32_t *)right, scores, scores + query_count * keys};
}

INLINE hero_packed_product packed_product(const bf16_head *room, long inner, void *out, long ld_out) {
  long pairs = (inner + 1) / 2;
  return (hero_packed_product){.left = room->left, .right = room->right, .left_stride = pairs * LANES,
                              .right_stride = pairs * LANES, .words = pairs, .is_first = true, .is_last = true,
                              .result = {.out = out, .out_stride = ld_out}};
}

// out[rows x columns] in float32 = a . bᵀ, both with their inner dimension along their rows.
static void score_product(float *out, long ld_out, const hero_bf16 *a, long lda, long rows, const hero_bf16 *b,
                          long ldb, long columns, long inner, const bf16_head *room) {
  long stride = (inner + 1) / 2 * LANES;
  pack_along_of_bf16(room->left, stride, a, lda, rows, inner, true);
  pack_along_of_bf16(room->right, stride, b, ldb, columns, inner, false);
  hero_packed_product product = packed_product(room, inner, out, ld_out);
  bf16_product_of_floats(&product, rows, columns);
}

// out[rows x columns] in bfloat16 = w . b with w[rows x inner], or wᵀ . b with w[inner x rows], w
// rounded to bfloat16.
static void weighted_product(hero_bf16 *out, long ld_out, const float *w, long ldw, bool turned, long rows,
                             const hero_bf16 *b, long ldb, long columns, long inner, const bf16_head *room) {
  long stride = (inner + 1) / 2 * LANES;
  if (turned) pack_across_of_floats(room->left, stride, w, ldw, rows, inner, true);
  else pack_along_of_floats(room->left, stride, w, ldw, rows, inner, true);
  pack_across_of_bf16(room->right, stride, b, ldb, columns, inner, false);
  hero_packed_product product = packed_product(room, inner, out, ld_out);
  bf16_product_of_bf16(&product, rows, columns);
}

static void attention_of_bf16(void *out, long ld_out, void *probabilities, const void *q, long ldq, const void *k,
                                const void *v, long ldk, long query_count, long key_count, long head, float scale_by,
                                bool causal, long drop_first_row, const hero_dropout *drop, float *scratch) {
  long keys = hero_padded(key_count);
  bf16_head room = bf16_head_room(scratch, query_count, key_count, head);
  score_product(room.scores, keys, q, ldq, query_count, k, ldk, key_count, head, &room);
  for (long i = 0; i < query_count; i++) {
    float *row = room.scores + i * keys;
    hero_bf16 *kept_row = (hero_bf16 *)probabilities + i * keys;
    long seen = causal && i + 1 < key_count ? i + 1 : key_count;
    float inverse = 1.0f / exponentials(row, keys, seen, scale_by);
    for (long j = 0; j < keys; j += LANES) {
      vf p = kept(kept_row, load(row + j) * inverse);
      store(kept_row + j, p);
      store(row + j, p);
    }
    if (drops(drop)) drop_row(row, drop_first_row + i, keys, drop);
  }
  weighted_product(out, ld_out, room.scores, keys, false, query_count, v, ldk, head, key_count, &room);
}

// The backward pass in bfloat16, as in `attention_backward_of_floats`.
static void attention_backward_of_bf16(void *dq, long ld_dq, void *dk, void *dv, long ld_dk, const void *d_out,
                                         long ld_out, const void *probabilities, const void *q, long ldq,
                                         const void *k, const void *v, long ldk, long query_count, long key_count,
                                         long head, float scale_by, long drop_first_row, const hero_dropout *drop,
                                         float *scratch) {
  long keys = hero_padded(key_count);
  bf16_head room = bf16_head_room(scratch, query_count, key_count, head);
  for (long i = 0; i < query_count; i++) {
    float *row = room.weights + i * keys;
    take(row, (const hero_bf16 *)probabilities + i * keys, keys);
    if (drops(drop)) drop_row(row, drop_first_row + i, keys, drop);
  }
  weighted_product(dv, ld_dk, room.weights, keys, true, key_count, d_out, ld_out, head, query_count, &room);
  score_product(room.scores, keys, d_out, ld_out, query_count, v, ldk, key_count, head, &room);
  for (long i = 0; i < query_count; i++) {
    const hero_bf16 *p = (const hero_bf16 *)probabilities + i * keys;
    float *row = room.scores + i * keys;
    // Scores beyond the keys may be anything; their probability is 0.
    for (long j = key_count; j < keys; j++) row[j] = 0;
    if (drops(drop)) drop_row(row, drop_first_row + i, keys, drop);
    vf sums = 0;
    for (long j = 0; j < keys; j += LANES) sums = vfma(load(p + j), load(row + j), sums);
    float along = hsum(sums);
    for (long j = 0; j < keys; j += LANES) store(row + j, load(p + j) * (load(row + j) - along) * scale_by);
  }
  weighted_product(dq, ld_dq, room.scores, keys, false, query_count, k, ldk, head, key_count, &room);
  weighted_product(dk, ld_dk, room.scores, keys, true, key_count, q, ldq, head, query_count, &room);
}
