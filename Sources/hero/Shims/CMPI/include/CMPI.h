#ifndef HERO_MPI_H
#define HERO_MPI_H

/// The interface between the program and an MPI library.
///
/// MPI libraries differ in their binary interface, so each that is found gets a plugin of its own.
/// All plugins are compiled from one source (`Shims/MPIPlugin`), each against its library's
/// `mpi.h`. The program opens the one of its job. Only the thread that called `open` may call the
/// functions, of which only `open` and `close` block.

enum {
  HERO_MPI_VERSION = 2,
  /// Collectives of one channel meet only those of the same channel, in the order in which they
  /// begin.
  HERO_MPI_CHANNELS = 2,
};

enum hero_mpi_kind {
  /// In place, over all ranks; `count` elements.
  HERO_MPI_SUM_FLOAT,
  HERO_MPI_SUM_DOUBLE,
  HERO_MPI_MAX_DOUBLE,
  HERO_MPI_OR_BYTE,
  /// Rank r's `counts[r]` bytes lie in the buffer after those of the ranks before it, and come from
  /// r.
  HERO_MPI_GATHER,
  /// Sends `count` bytes of rank `root` to all ranks.
  HERO_MPI_BROADCAST,
  HERO_MPI_BARRIER,
};

struct hero_mpi_job {
  int rank;
  int size;
  /// The lowest rank on this machine: the same for all ranks on it.
  int node;
  /// The number of ranks on this machine before this one.
  int place;
  /// The library's name for itself.
  char library[128];
};

struct hero_mpi_plugin {
  int version;
  /// Joins the job. Returns NULL, or what went wrong.
  const char *(*open)(struct hero_mpi_job *job);
  /// Begins a collective. Returns its number for `test`, or −1 with the reason in `problem`.
  int (*begin)(int channel, int kind, void *buffer, long count, const int *counts, int root);
  /// Returns 1 when the collective is done, 0 while it is not, −1 if it failed.
  int (*test)(int number);
  /// Tells the next rank that this one lives, and listens to the one before.
  /// - seconds: the time on any clock that does not go back.
  ///
  /// Returns the seconds since the rank before was last heard, or a negative number if MPI failed.
  double (*beat)(double seconds);
  /// Returns what went wrong last.
  const char *(*problem)(void);
  /// Ends all ranks.
  void (*abort)(int status);
  /// Leaves the job; no collective may be under way.
  void (*close)(void);
};

/// Opens a plugin. Returns NULL and sets `problem` if it cannot be loaded.
const struct hero_mpi_plugin *hero_mpi_load(const char *path, const char **problem);

/// Lists the cores that this thread may run on, by number. Returns how many there are, or −1.
int hero_allowed_cores(int *cores, int most);

/// Restricts this thread, and those that it starts afterwards, to these cores. Returns 0 on
/// success.
int hero_use_cores(int first, int count);

#endif
