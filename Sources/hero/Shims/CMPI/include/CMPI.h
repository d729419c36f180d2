#ifndef HERO_MPI_H
#define HERO_MPI_H

/// What the program asks of an MPI library.
///
/// MPI libraries differ in their binary interface, so each that is found gets a plugin of its own,
/// compiled from one source against its `mpi.h` (`Shims/MPIPlugin`), and the program opens the one
/// of the job it is part of. One thread calls all functions, the one that called `open`; none of
/// them blocks but `open` and `close`.

enum {
  HERO_MPI_VERSION = 2,
  /// Collectives of one channel meet those of the same channel only, in the order in which they
  /// were begun.
  HERO_MPI_CHANNELS = 2,
};

enum hero_mpi_kind {
  /// In place, over all ranks; `count` elements.
  HERO_MPI_SUM_FLOAT,
  HERO_MPI_SUM_DOUBLE,
  HERO_MPI_MAX_DOUBLE,
  HERO_MPI_OR_BYTE,
  /// Rank r's `counts[r]` bytes lie in the buffer behind those of the ranks before it, and come
  /// from r.
  HERO_MPI_GATHER,
  /// `count` bytes of rank `root`.
  HERO_MPI_BROADCAST,
  HERO_MPI_BARRIER,
};

struct hero_mpi_job {
  int rank;
  int size;
  /// The lowest rank on this machine: the same for all ranks on it.
  int node;
  /// How many ranks on it come before this one.
  int place;
  /// What the library calls itself.
  char library[128];
};

struct hero_mpi_plugin {
  int version;
  /// Joins the job. Returns NULL, or what went wrong.
  const char *(*open)(struct hero_mpi_job *job);
  /// Begins a collective. Returns its number for `test`, or −1, of which `problem` tells.
  int (*begin)(int channel, int kind, void *buffer, long count, const int *counts, int root);
  /// 1 when it is done, 0 while it is not, −1 where it failed.
  int (*test)(int number);
  /// Tells the next rank that this one lives, and hears of the one before.
  /// - seconds: on any clock that does not go back.
  /// Returns how long nothing was heard of the rank before, or a negative number where MPI failed.
  double (*beat)(double seconds);
  /// What went wrong last.
  const char *(*problem)(void);
  /// Ends all ranks.
  void (*abort)(int status);
  /// Leaves the job; no collective may be under way.
  void (*close)(void);
};

/// Opens a plugin. Returns NULL and sets `problem` where it cannot be loaded.
const struct hero_mpi_plugin *hero_mpi_load(const char *path, const char **problem);

/// Numbers of the processor's cores that this thread may run on; how many there are, or −1.
int hero_allowed_cores(int *cores, int most);

/// Lets this thread, and those that it starts from now on, run on these cores only. 0 where the
/// system agrees.
int hero_use_cores(int first, int count);

#endif
