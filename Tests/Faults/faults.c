// Injects faults into a program: preloaded (LD_PRELOAD), it stands between the program and the C
// library, for files of one folder.
//
//   HERO_FAULT_UNDER   the folder; files elsewhere are left alone
//   HERO_FAULT_AT      the number of the call at which `full` or `kill` begins
//   HERO_FAULT         full      from that call on nothing can be written, as on a full disk; the
//                                call itself still writes half of what it was given
//                      kill      that call writes half, and SIGKILL ends the process
//                      readonly  no file can be made or opened for writing
//                      network   no file can be mapped or locked, as on some network file systems
//                      clock     the wall clock is an hour behind or two ahead at each reading
//                      count     calls are only counted
//   HERO_FAULT_REPORT  the file for the number of calls that change files, written at the end
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { descriptors = 4096 };

static enum { none, count, full, killed, readonly, network, jumping } fault;
static char folder[PATH_MAX];
static size_t folder_length;
static long at;
static atomic_long calls;
static atomic_bool ours[descriptors];
static atomic_uint readings;

__attribute__((constructor)) static void begin(void) {
  const char *names[] = {"", "count", "full", "kill", "readonly", "network", "clock"};
  const char *kind = getenv("HERO_FAULT"), *under = getenv("HERO_FAULT_UNDER"), *number = getenv("HERO_FAULT_AT");
  if (!kind || !under || !realpath(under, folder)) return;
  folder_length = strlen(folder);
  at = number ? atol(number) : 0;
  for (int i = count; i <= jumping; i++)
    if (strcmp(kind, names[i]) == 0) fault = i;
}

__attribute__((destructor)) static void end(void) {
  const char *report = getenv("HERO_FAULT_REPORT");
  if (!fault || !report) return;
  char text[32];
  int length = snprintf(text, sizeof text, "%ld\n", atomic_load(&calls));
  int file = syscall(SYS_openat, AT_FDCWD, report, O_WRONLY | O_CREAT | O_TRUNC, 0666);
  if (file < 0) return;
  syscall(SYS_write, file, text, length);
  syscall(SYS_close, file);
}

static void *next(const char *name) { return dlsym(RTLD_NEXT, name); }
#define NEXT(name) static __typeof__(&name) real; if (!real) real = (__typeof__(&name))next(#name)

/// Returns whether a path is in the folder. The path need not exist, but its own folder must.
static int is_under(int relative, const char *path) {
  if (!fault || !path) return 0;
  char whole[PATH_MAX * 2];
  if (path[0] == '/' || relative != AT_FDCWD) {
    snprintf(whole, sizeof whole, "%s", path);
  } else {
    if (!getcwd(whole, PATH_MAX)) return 0;
    size_t length = strlen(whole);
    snprintf(whole + length, sizeof whole - length, "/%s", path);
  }
  char resolved[PATH_MAX];
  char *slash = strrchr(whole, '/');
  if (slash && slash != whole) {
    *slash = 0;
    if (!realpath(whole, resolved)) return strncmp(whole, folder, folder_length) == 0;
  } else {
    return 0;
  }
  return strncmp(resolved, folder, folder_length) == 0 && (resolved[folder_length] == 0 || resolved[folder_length] == '/');
}

static int is_ours(int file) { return fault && file >= 0 && file < descriptors && atomic_load(&ours[file]); }
static void note(int file, int is) {
  if (file >= 0 && file < descriptors) atomic_store(&ours[file], is);
}

/// Counts a call that changes a file. Returns 0 to do as asked, 1 to do half of it and then fail, 2
/// to fail.
static int counted(void) {
  long number = atomic_fetch_add(&calls, 1) + 1;
  if (fault == readonly) return 2;
  if ((fault != full && fault != killed) || number < at) return 0;
  return number == at ? 1 : 2;
}

static int failed(void) {
  if (fault == killed) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
  }
  errno = fault == readonly ? EROFS : ENOSPC;
  return -1;
}

// Names: on a full disk no new file can be made.

static int opened(int relative, const char *path, int flags, mode_t mode) {
  int is = is_under(relative, path);
  if (is && (flags & O_CREAT || (fault == readonly && (flags & O_ACCMODE) != O_RDONLY))) {
    struct stat status;
    int exists = fstatat(relative, path, &status, 0) == 0;
    if ((!exists || fault == readonly) && counted()) return failed();
  }
  int file = syscall(SYS_openat, relative, path, flags, mode);
  note(file, is);
  return file;
}

#define OPEN(name, first, relative) \
  int name(first const char *path, int flags, ...) { \
    va_list rest; va_start(rest, flags); \
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
    va_end(rest); \
    return opened(relative, path, flags, mode); \
  }
#define NOTHING
#define RELATIVE int relative,
OPEN(open, NOTHING, AT_FDCWD)
OPEN(open64, NOTHING, AT_FDCWD)
OPEN(openat, RELATIVE, relative)
OPEN(openat64, RELATIVE, relative)

int creat(const char *path, mode_t mode) { return opened(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }

int close(int file) {
  note(file, 0);
  return syscall(SYS_close, file);
}

int dup(int file) {
  int other = syscall(SYS_dup, file);
  if (other >= 0) note(other, is_ours(file));
  return other;
}

int mkdir(const char *path, mode_t mode) {
  struct stat status;
  if (is_under(AT_FDCWD, path) && stat(path, &status) != 0 && counted()) return failed();
  return syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}

int mkstemp(char *pattern) {
  NEXT(mkstemp);
  int is = is_under(AT_FDCWD, pattern);
  if (is && counted()) return failed();
  int file = real(pattern);
  note(file, is);
  return file;
}

int rename(const char *from, const char *to) {
  // A rename fails before it begins or is whole, never in between.
  if (is_under(AT_FDCWD, to) && counted()) return failed();
  return syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to);
}

// Bytes.

ssize_t write(int file, const void *bytes, size_t length) {
  if (length > 0 && is_ours(file)) {
    int what = counted();
    if (what == 1 && length > 1) {
      ssize_t half = syscall(SYS_write, file, bytes, length / 2);
      return fault == killed ? failed() : half;
    }
    if (what) return failed();
  }
  return syscall(SYS_write, file, bytes, length);
}

ssize_t pwrite(int file, const void *bytes, size_t length, off_t offset) {
  if (length > 0 && is_ours(file)) {
    int what = counted();
    if (what == 1 && length > 1) {
      ssize_t half = syscall(SYS_pwrite64, file, bytes, length / 2, offset);
      return fault == killed ? failed() : half;
    }
    if (what) return failed();
  }
  return syscall(SYS_pwrite64, file, bytes, length, offset);
}
ssize_t pwrite64(int file, const void *bytes, size_t length, off64_t offset) { return pwrite(file, bytes, length, offset); }

ssize_t writev(int file, const struct iovec *parts, int number) {
  if (is_ours(file) && counted()) return failed();
  return syscall(SYS_writev, file, parts, number);
}
ssize_t pwritev(int file, const struct iovec *parts, int number, off_t offset) {
  if (is_ours(file) && counted()) return failed();
  return syscall(SYS_pwritev, file, parts, number, offset, 0);
}

int ftruncate(int file, off_t length) {
  struct stat status;
  if (is_ours(file) && fstat(file, &status) == 0 && length > status.st_size && counted()) return failed();
  return syscall(SYS_ftruncate, file, length);
}
int ftruncate64(int file, off64_t length) { return ftruncate(file, length); }

// Network file systems.

void *mmap(void *place, size_t length, int protection, int flags, int file, off_t offset) {
  if (fault == network && is_ours(file)) {
    errno = ENODEV;
    return MAP_FAILED;
  }
  return (void *)syscall(SYS_mmap, place, length, protection, flags, file, offset);
}
void *mmap64(void *place, size_t length, int protection, int flags, int file, off64_t offset) {
  return mmap(place, length, protection, flags, file, offset);
}

int flock(int file, int operation) {
  if (fault == network && is_ours(file)) {
    errno = ENOLCK;
    return -1;
  }
  return syscall(SYS_flock, file, operation);
}

static int controlled(int file, int command, void *argument) {
  int locks = command == F_SETLK || command == F_SETLKW || command == F_GETLK || command == F_OFD_SETLK || command == F_OFD_SETLKW;
  if (fault == network && locks && is_ours(file)) {
    errno = ENOLCK;
    return -1;
  }
  int result = syscall(SYS_fcntl, file, command, argument);
  if (result >= 0 && (command == F_DUPFD || command == F_DUPFD_CLOEXEC)) note(result, is_ours(file));
  return result;
}
int fcntl(int file, int command, ...) {
  va_list rest;
  va_start(rest, command);
  void *argument = va_arg(rest, void *);
  va_end(rest);
  return controlled(file, command, argument);
}
int fcntl64(int file, int command, ...) {
  va_list rest;
  va_start(rest, command);
  void *argument = va_arg(rest, void *);
  va_end(rest);
  return controlled(file, command, argument);
}

// The wall clock.

static long jump(void) { return fault == jumping ? (atomic_fetch_add(&readings, 1) % 3 ? 7200 : -3600) : 0; }

int clock_gettime(clockid_t clock, struct timespec *value) {
  int result = syscall(SYS_clock_gettime, clock, value);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) value->tv_sec += jump();
  return result;
}
int gettimeofday(struct timeval *value, void *zone) {
  struct timespec now;
  syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
  (void)zone;
  value->tv_sec = now.tv_sec + jump();
  value->tv_usec = now.tv_nsec / 1000;
  return 0;
}
time_t time(time_t *value) {
  struct timespec now;
  syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
  now.tv_sec += jump();
  if (value) *value = now.tv_sec;
  return now.tv_sec;
}
