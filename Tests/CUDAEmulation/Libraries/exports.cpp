// The emulation under the names of NVIDIA's own functions: built into libraries (`make cuda-emulation`), it takes their place for a
// program that opens them, so that all of the program runs on it, the search for the libraries included.

#include "CUDAEmulation.h"

// Whoever looks a name up is given the function itself.
#define EXPORT(field, name)                                                                           \
  extern "C" void *find_##name(void) { return reinterpret_cast<void *>(hero_cuda_emulation()->field); } \
  extern "C" __attribute__((visibility("default"), ifunc("find_" #name))) void name(void);
#define DRIVER EXPORT
#define COMPILER EXPORT
#define PRODUCTS EXPORT
#define RANKS EXPORT

#include "../../../Sources/hero/Shims/CCUDA/entries.h"
