// All kernels of the CUDA backend, as one program.
//
// NVRTC compiles it for the device at hand; the tests compile it as C++, against an emulation of a
// device.

#ifndef HERO_EMULATION
#define DYNAMIC_SHARED(T, name)                   \
  extern __shared__ __align__(16) char shared_room[]; \
  T *name = (T *)shared_room
#endif

#include "common.cuh"
#include "elements.cuh"
#include "rows.cuh"
#include "losses.cuh"
#include "sequences.cuh"
#include "attention.cuh"
#include "thin.cuh"
#include "steps.cuh"
#include "updates.cuh"
