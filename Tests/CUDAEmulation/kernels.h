#pragma once

// A kernel by its name: what runs one thread of it, and the size of its argument.
struct Kernel {
  const char *name;
  void (*body)(void *);
  unsigned argument_size;
};

const Kernel *find_kernel(const char *name);
