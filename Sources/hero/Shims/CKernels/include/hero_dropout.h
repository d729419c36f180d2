#ifndef HERO_DROPOUT_H
#define HERO_DROPOUT_H

/// The columns of one counter, and a counter's last word: 0xD20B keeps dropout's numbers apart from
/// all others.
#define HERO_DROPOUT_COLUMNS 8
#define HERO_DROPOUT_WORD(eight) (0xD20Bu | (eight) << 16)

/// Dropout of one tensor: element (row, column) is kept iff the 16 bits that Philox4x32-10 gives
/// for it are at least `threshold`. A counter serves eight neighbouring columns of one row. Its
/// words are the row, the stream, the step and `HERO_DROPOUT_WORD(column / 8)`; half k % 2 of word
/// k / 2 is column k of the eight. Row and eight have separate bits, so no two rows of a tensor
/// share a counter, even if they differ in length as an attention's do. The numbers suffice for 2³²
/// rows of 524,288 columns.
typedef struct {
  unsigned int key[2];     // the seed
  unsigned int stream;     // counter word 1: which tensor of the step
  unsigned int step;       // counter word 2
  unsigned int threshold;  // drop probability * 65536; 0 = no dropout
} hero_dropout;

#endif
