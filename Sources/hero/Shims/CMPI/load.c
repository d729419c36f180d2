#include "CMPI.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

const struct hero_mpi_plugin *hero_mpi_load(const char *path, const char **problem) {
  // MPI libraries open parts of their own, which look for the library's symbols among the global
  // ones.
  void *library = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
  if (!library) {
    const char *reason = dlerror();
    *problem = strdup(reason ? reason : "no reason given");
    return NULL;
  }
  const struct hero_mpi_plugin *plugin = dlsym(library, "hero_mpi");
  if (!plugin || plugin->version != HERO_MPI_VERSION) {
    *problem = "it belongs to another version of hero";
    return NULL;
  }
  return plugin;
}
