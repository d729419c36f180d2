#pragma once

// A kernel's name, the function that runs one of its threads, and the bytes of its argument.
struct Kernel {
  const char *name;
  void (*body)(void *);
  unsigned argument_size;
};

const Kernel *find_kernel(const char *name);
