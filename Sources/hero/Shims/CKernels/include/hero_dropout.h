#ifndef HERO_DROPOUT_H
#define HERO_DROPOUT_H

/// Dropout of one tensor: element (row, column) is kept iff the 16 bits that Philox4x32-10 gives
/// for it are at least `threshold`. A row takes ceil(columns / 128) groups of 128 elements; group g
/// of row r is made of the 16 counters (r * groups + g) * 16 + lane; its slot s holds half s % 2 of
/// word s / 2 for columns 16 s … 16 s + 15. The other counter words are the stream, the step and
/// 0xD20B, which keeps dropout's numbers apart from all others. Of an attention's probabilities,
/// whose rows differ in length, group g of row r has the counters r * 16 + lane, and g in the upper
/// half of the last word: so no two rows of an attention share a counter, however many keys they
/// have.
typedef struct {
  unsigned int key[2];     // the seed
  unsigned int stream;     // counter word 1: which tensor of the step
  unsigned int step;       // counter word 2
  unsigned int threshold;  // drop probability * 65536; 0 = no dropout
} hero_dropout;

#endif
