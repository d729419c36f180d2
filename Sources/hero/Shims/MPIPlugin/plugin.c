// An MPI library behind hero's own small interface: see CMPI.h, which says what each function does.

#include <mpi.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../CMPI/include/CMPI.h"

// The most collectives under way at once. Gradients begin as they become ready and finish in that
// order; the rest wait in hero's queue.
enum { SLOTS = 256 };

static struct {
  MPI_Request request;
  // MPI reads the counts until the collective is done.
  int *counts;
  int in_use;
} slots[SLOTS];

static MPI_Comm channels[HERO_MPI_CHANNELS];
static char message[MPI_MAX_ERROR_STRING + 64] = "";

static struct {
  MPI_Comm comm;
  MPI_Request sending, receiving;
  char sent, received;
  double last_sent, last_heard;
  int rank, size, started;
} pulse;

static int failed(int code, const char *what) {
  if (code == MPI_SUCCESS) return 0;
  char text[MPI_MAX_ERROR_STRING] = "";
  int length = 0;
  MPI_Error_string(code, text, &length);
  snprintf(message, sizeof message, "%s: %s", what, text);
  return 1;
}

static const char *duplicate(MPI_Comm *comm) {
  if (failed(MPI_Comm_dup(MPI_COMM_WORLD, comm), "MPI_Comm_dup")) return message;
  MPI_Comm_set_errhandler(*comm, MPI_ERRORS_RETURN);
  return NULL;
}

static const char *job_open(struct hero_mpi_job *job) {
  int provided = MPI_THREAD_SINGLE;
  if (failed(MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided), "MPI_Init_thread")) return message;
  if (provided < MPI_THREAD_FUNNELED) return "this MPI allows a program no threads (MPI_THREAD_FUNNELED)";
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  for (int channel = 0; channel < HERO_MPI_CHANNELS; channel++)
    if (duplicate(&channels[channel])) return message;
  if (duplicate(&pulse.comm)) return message;
  MPI_Comm_rank(MPI_COMM_WORLD, &job->rank);
  MPI_Comm_size(MPI_COMM_WORLD, &job->size);
  pulse.rank = job->rank;
  pulse.size = job->size;
  pulse.sending = pulse.receiving = MPI_REQUEST_NULL;

  MPI_Comm machine;
  if (failed(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &machine),
             "MPI_Comm_split_type"))
    return message;
  job->node = job->rank;
  MPI_Comm_rank(machine, &job->place);
  if (failed(MPI_Bcast(&job->node, 1, MPI_INT, 0, machine), "MPI_Bcast")) return message;
  MPI_Comm_free(&machine);

  char library[MPI_MAX_LIBRARY_VERSION_STRING] = "";
  int length = 0;
  MPI_Get_library_version(library, &length);
  // The first line or clause says the name and the version.
  library[strcspn(library, "\n,")] = 0;
  for (char *c = library; *c; c++)
    if (*c == '\t') *c = ' ';
  snprintf(job->library, sizeof job->library, "%s", library);
  return NULL;
}

static int collective_begin(int channel, int kind, void *buffer, long count, const int *counts, int root) {
  int number = 0;
  while (number < SLOTS && slots[number].in_use) number++;
  if (number == SLOTS) {
    snprintf(message, sizeof message, "more than %d collectives are under way", SLOTS);
    return -1;
  }
  MPI_Comm comm = channels[channel];
  MPI_Request *request = &slots[number].request;
  int code = MPI_SUCCESS;
  switch (kind) {
  case HERO_MPI_SUM_FLOAT:
    code = MPI_Iallreduce(MPI_IN_PLACE, buffer, (int)count, MPI_FLOAT, MPI_SUM, comm, request);
    break;
  case HERO_MPI_SUM_DOUBLE:
    code = MPI_Iallreduce(MPI_IN_PLACE, buffer, (int)count, MPI_DOUBLE, MPI_SUM, comm, request);
    break;
  case HERO_MPI_MAX_DOUBLE:
    code = MPI_Iallreduce(MPI_IN_PLACE, buffer, (int)count, MPI_DOUBLE, MPI_MAX, comm, request);
    break;
  case HERO_MPI_OR_BYTE:
    code = MPI_Iallreduce(MPI_IN_PLACE, buffer, (int)count, MPI_BYTE, MPI_BOR, comm, request);
    break;
  case HERO_MPI_GATHER: {
    int *sizes = malloc(2 * (size_t)pulse.size * sizeof *sizes);
    if (!sizes) {
      snprintf(message, sizeof message, "out of memory");
      return -1;
    }
    int *starts = sizes + pulse.size;
    memcpy(sizes, counts, (size_t)pulse.size * sizeof *sizes);
    for (int rank = 0, start = 0; rank < pulse.size; start += sizes[rank++]) starts[rank] = start;
    slots[number].counts = sizes;
    code = MPI_Iallgatherv(MPI_IN_PLACE, 0, MPI_BYTE, buffer, sizes, starts, MPI_BYTE, comm, request);
    break;
  }
  case HERO_MPI_BROADCAST:
    code = MPI_Ibcast(buffer, (int)count, MPI_BYTE, root, comm, request);
    break;
  default:
    code = MPI_Ibarrier(comm, request);
  }
  if (failed(code, "a collective cannot be begun")) return -1;
  slots[number].in_use = 1;
  return number;
}

static int collective_test(int number) {
  int done = 0;
  if (failed(MPI_Test(&slots[number].request, &done, MPI_STATUS_IGNORE), "a collective failed")) return -1;
  if (done) {
    free(slots[number].counts);
    slots[number].counts = NULL;
    slots[number].in_use = 0;
  }
  return done;
}

static double pulse_beat(double seconds) {
  if (pulse.size < 2) return 0;
  int next = (pulse.rank + 1) % pulse.size, before = (pulse.rank + pulse.size - 1) % pulse.size;
  if (!pulse.started) {
    pulse.started = 1;
    pulse.last_heard = seconds;
    pulse.last_sent = seconds - 10;
  }
  int done = 0;
  if (pulse.receiving == MPI_REQUEST_NULL) {
    if (failed(MPI_Irecv(&pulse.received, 1, MPI_CHAR, before, 0, pulse.comm, &pulse.receiving), "MPI_Irecv")) return -1;
  }
  if (failed(MPI_Test(&pulse.receiving, &done, MPI_STATUS_IGNORE), "the rank before is gone")) return -1;
  if (done) pulse.last_heard = seconds;
  if (pulse.sending != MPI_REQUEST_NULL &&
      failed(MPI_Test(&pulse.sending, &done, MPI_STATUS_IGNORE), "the next rank is gone"))
    return -1;
  if (pulse.sending == MPI_REQUEST_NULL && seconds - pulse.last_sent >= 1) {
    pulse.last_sent = seconds;
    if (failed(MPI_Isend(&pulse.sent, 1, MPI_CHAR, next, 0, pulse.comm, &pulse.sending), "MPI_Isend")) return -1;
  }
  return seconds - pulse.last_heard;
}

static const char *last_problem(void) { return message; }

static void job_abort(int status) {
  // When MPICH's launcher is told to end the job, it drops what it has not passed on. The reason
  // was written just before.
  usleep(300000);
  MPI_Abort(MPI_COMM_WORLD, status);
}

static void job_close(void) {
  if (pulse.sending != MPI_REQUEST_NULL) MPI_Request_free(&pulse.sending);
  if (pulse.receiving != MPI_REQUEST_NULL) {
    MPI_Cancel(&pulse.receiving);
    MPI_Request_free(&pulse.receiving);
  }
  MPI_Finalize();
}

const struct hero_mpi_plugin hero_mpi = {
    HERO_MPI_VERSION, job_open, collective_begin, collective_test, pulse_beat, last_problem, job_abort, job_close,
};
