#ifndef HERO_DROPOUT_H
#define HERO_DROPOUT_H

/// Columns of one counter, and the last word of a counter: 0xD20B keeps dropout's numbers apart
/// from all others.
#define HERO_DROPOUT_COLUMNS 8
#define HERO_DROPOUT_WORD(eight) (0xD20Bu | (eight) << 16)

/// Dropout of one tensor: element (row, column) is kept iff the 16 bits that Philox4x32-10 gives
/// for it are at least `threshold`. A counter serves eight neighbouring columns of one row: its
/// words are the row, the stream, the step and `HERO_DROPOUT_WORD(column / 8)`; half k % 2 of word
/// k / 2 is column k of the eight. Row and eight have bits of their own, so no two rows of a tensor
/// share a counter, however many columns each has: an attention's rows differ in length. There are
/// numbers for 2³² rows of 524,288 columns.
typedef struct {
  unsigned int key[2];     // the seed
  unsigned int stream;     // counter word 1: which tensor of the step
  unsigned int step;       // counter word 2
  unsigned int threshold;  // drop probability * 65536; 0 = no dropout
} hero_dropout;

#endif
