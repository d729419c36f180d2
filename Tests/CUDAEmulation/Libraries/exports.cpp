// Exports the emulation under the names of NVIDIA's own functions. `make cuda-emulation` builds it
// into libraries that take the place of NVIDIA's, so that a whole program runs on the emulation,
// including its search for the libraries.

#include "CUDAEmulation.h"

// Looking up a name yields the function itself.
#define EXPORT(field, name)                                                                           \
  extern "C" void *find_##name(void) { return reinterpret_cast<void *>(hero_cuda_emulation()->field); } \
  extern "C" __attribute__((visibility("default"), ifunc("find_" #name))) void name(void);
#define DRIVER EXPORT
#define COMPILER EXPORT
#define PRODUCTS EXPORT
#define RANKS EXPORT

#include "../../../Sources/hero/Shims/CCUDA/entries.h"
