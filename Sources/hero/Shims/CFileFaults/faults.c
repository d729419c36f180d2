#define _GNU_SOURCE
#include "CFileFaults.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

// Everything here runs inside a signal handler: it uses system calls and the stack, and nothing
// that allocates or locks.

static void say(const char *text, size_t length) {
  while (length > 0) {
    ssize_t written = write(STDERR_FILENO, text, length);
    if (written <= 0) return;
    text += written;
    length -= (size_t)written;
  }
}

static int hexadecimal(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

static uintptr_t number(const char **text) {
  uintptr_t value = 0;
  for (int digit; (digit = hexadecimal(**text)) >= 0; ++*text) value = value << 4 | (uintptr_t)digit;
  return value;
}

/// Returns the path in a line of /proc/self/maps, `from-to rights offset device node path`, if its
/// mapping has the address; else 0.
static const char *path_in(const char *line, uintptr_t address) {
  uintptr_t from = number(&line);
  if (*line++ != '-') return 0;
  uintptr_t to = number(&line);
  return address >= from && address < to ? strchr(line, '/') : 0;
}

/// Writes the name of the file that an address belongs to. Returns 0 if it belongs to none.
static int say_file(uintptr_t address) {
  int maps = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  if (maps < 0) return 0;
  char line[PATH_MAX + 128];
  size_t length = 0;
  int found = 0;
  char letter;
  while (!found && read(maps, &letter, 1) == 1) {
    if (letter != '\n') {
      if (length < sizeof line - 1) line[length++] = letter;
      continue;
    }
    line[length] = 0;
    length = 0;
    const char *path = path_in(line, address);
    if (path) {
      say(path, strlen(path));
      found = 1;
    }
  }
  close(maps);
  return found;
}

static void end(int signal, siginfo_t *info, void *context) {
  (void)signal, (void)context;
  // Several threads may read the file: the first reports it, the others wait for the end.
  static atomic_flag begun = ATOMIC_FLAG_INIT;
  while (atomic_flag_test_and_set(&begun)) pause();
  static const char head[] = "hero: error: ", unknown[] = "a file that was being read";
  static const char rest[] =
    ": was cut short while it was read, or its disk failed. Replace files under a running job by renaming, and run again.\n";
  say(head, sizeof head - 1);
  if (!say_file((uintptr_t)info->si_addr)) say(unknown, sizeof unknown - 1);
  say(rest, sizeof rest - 1);
  _exit(1);
}

void hero_file_faults_install(void) {
  struct sigaction action = {.sa_sigaction = end, .sa_flags = SA_SIGINFO};
  sigemptyset(&action.sa_mask);
  sigaction(SIGBUS, &action, 0);
}
