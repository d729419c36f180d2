#ifndef HERO_ROUNDING_H
#define HERO_ROUNDING_H

/// Moments of an optimizer in bfloat16 are rounded stochastically: 16 random bits are added to a
/// float32 and its lower half is dropped. The mean of many roundings is therefore the value itself.
/// Elements that are not finite stay so, and no finite one becomes infinite.
///
/// The bits are a function of the run's seed (the key), the update and the element's place in the
/// arena. A counter of Philox4x32-10 serves four neighbours. Its words are place / 4 (its lower,
/// then its upper half), the update and `HERO_ROUNDING_WORD`, which keeps these numbers apart from
/// all others. Word place % 4 is the element's: the lower half rounds the first moment, the upper
/// half the second.
#define HERO_ROUNDING_WORD 0x5B16u

#endif
