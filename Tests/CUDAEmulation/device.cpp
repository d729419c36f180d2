// The tests' replacements for NVIDIA's driver, compiler (NVRTC) and library of products (cuBLASLt).

#include "CUDAEmulation.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <vector>

#include "COpenBLAS.h"
#include "fibers.h"
#include "kernels.h"
#include "ranks.h"
#include "streams.h"

using namespace emulation;

namespace {

enum { SUCCESS = 0, INVALID_VALUE = 1, NOT_FOUND = 500, NOT_READY = 600 };
enum { MARGIN = 256 };

struct Event {
  // How often the event was recorded, and how many of these marks its stream has passed.
  long recorded = 0, done = 0;
  // Marks of the event, and waits for it, that are still queued on streams.
  long queued = 0;
  Stream *stream = nullptr;
  double milliseconds = 0;
};

std::map<uint64_t, size_t> blocks;
// Per thread, since other tests use devices at the same time.
thread_local hero_cuda_emulation_counts counts;
thread_local double product_milliseconds[3] = {1, 1, 1};
thread_local bool proposes_last_first, copies_at_once;
// Bytes of all blocks: the present total and its peak.
uint64_t taken, most_taken;

void wait(Stream *stream, const std::function<bool()> &enough);

// Returns the stream of a call that hero must not make while a graph is recorded.
Stream *own_stream(void *stream) {
  auto own = static_cast<Stream *>(stream);
  if (own->recorded) fail("a copy, an event, a wait or memory while a graph is recorded");
  return own;
}

// Fails unless the range lies within one allocated block.
void check(uint64_t address, size_t bytes) {
  auto after = blocks.upper_bound(address);
  if (after == blocks.begin()) fail("a copy outside the device's memory");
  auto block = std::prev(after);
  if (address + bytes > block->first + block->second) fail("a copy past the end of a block");
}

int error_string(int error, const char **text) {
  *text = error == NOT_READY ? "not ready" : error == NOT_FOUND ? "not found" : "invalid value";
  return SUCCESS;
}

int init(unsigned) { return SUCCESS; }
int device_count(int *count) { return *count = 1, SUCCESS; }
int device_get(int *device, int ordinal) { return *device = ordinal, ordinal == 0 ? SUCCESS : INVALID_VALUE; }

int device_name(char *name, int size, int) {
  std::snprintf(name, size, "emulated device");
  return SUCCESS;
}

int device_attribute(int *value, int attribute, int) {
  switch (attribute) {
    case 75: *value = 9; break;        // compute capability 9.0
    case 76: *value = 0; break;
    case 16: *value = 4; break;        // multiprocessors
    case 97: *value = 232448; break;   // shared memory of a block
    case 115: *value = 1; break;       // pools
    default: return INVALID_VALUE;
  }
  return SUCCESS;
}

int device_memory(size_t *bytes, int) { return *bytes = size_t(8) << 30, SUCCESS; }

// Every call gives another UUID, as if each caller had a device of its own.
int device_uuid(char uuid[16], int) {
  static std::atomic<long> next{0};
  long number = next++;
  std::memset(uuid, 0, 16);
  std::memcpy(uuid, &number, sizeof number);
  return SUCCESS;
}

int retain_context(void **context, int) { return *context = &device, SUCCESS; }
int release_context(int) { return SUCCESS; }

thread_local void *thread_context;
int set_context(void *context) { return thread_context = context, SUCCESS; }

void check_context() {
  if (!thread_context) fail("a call from a thread without a context");
}

int stream_create(void **stream, unsigned) { return *stream = new Stream, SUCCESS; }

int stream_synchronize(void *stream) {
  Lock lock(device);
  check_context();
  wait(own_stream(stream), [] { return false; });
  return SUCCESS;
}

int stream_destroy(void *stream) {
  Lock lock(device);
  run(static_cast<Stream *>(stream), [] { return false; });
  delete static_cast<Stream *>(stream);
  return SUCCESS;
}

int event_create(void **event, unsigned) { return *event = new Event, SUCCESS; }

int event_destroy(void *event) {
  Lock lock(device);
  auto own = static_cast<Event *>(event);
  if (own->queued) fail("an event is destroyed whose mark, or a wait for it, is queued");
  delete own;
  return SUCCESS;
}

int event_record(void *event, void *stream) {
  Lock lock(device);
  check_context();
  auto own = static_cast<Event *>(event);
  long mark = ++own->recorded;
  own->stream = own_stream(stream);
  own->queued++;
  queue(own->stream, [own, mark] {
    own->queued--;
    own->done = mark;
    own->milliseconds = own->stream->milliseconds;
  });
  return SUCCESS;
}

int event_elapsed(float *milliseconds, void *start, void *end) {
  Lock lock(device);
  auto first = static_cast<Event *>(start), last = static_cast<Event *>(end);
  if (first->recorded == 0 || last->recorded == 0) return INVALID_VALUE;
  if (first->done < first->recorded || last->done < last->recorded) return NOT_READY;
  return *milliseconds = float(last->milliseconds - first->milliseconds), SUCCESS;
}

int event_query(void *event) {
  Lock lock(device);
  auto own = static_cast<Event *>(event);
  return own->done == own->recorded ? SUCCESS : NOT_READY;
}

// Waits, and counts a stall if the stream has no work left afterwards.
void wait(Stream *stream, const std::function<bool()> &enough) {
  counts.waits++;
  run(stream, enough);
  if (stream->work.empty()) counts.stalls++;
}

int event_synchronize(void *event) {
  Lock lock(device);
  check_context();
  auto own = static_cast<Event *>(event);
  if (own->stream) wait(own->stream, [own, mark = own->recorded] { return own->done >= mark; });
  return SUCCESS;
}

// Waits for the mark that was recorded last, even if the event is recorded again later.
int stream_wait(void *stream, void *event, unsigned) {
  Lock lock(device);
  check_context();
  auto own = static_cast<Event *>(event);
  own->queued++;
  queue(own_stream(stream), [own, source = own->stream, mark = own->recorded] {
    if (own->done < mark) run(source, [=] { return own->done >= mark; });
    own->queued--;
  });
  return SUCCESS;
}

int default_pool(void **pool, int) { return *pool = &blocks, SUCCESS; }

// Resets the peak of used bytes (attribute 8), which accepts only 0.
int set_pool_attribute(void *, int attribute, void *value) {
  Lock lock(device);
  if (attribute == 4) return SUCCESS;
  if (attribute != 8 || *static_cast<uint64_t *>(value) != 0) return INVALID_VALUE;
  return most_taken = taken, SUCCESS;
}

int get_pool_attribute(void *, int attribute, void *value) {
  Lock lock(device);
  if (attribute != 8) return INVALID_VALUE;
  std::memcpy(value, &most_taken, sizeof most_taken);
  return SUCCESS;
}

int allocate(uint64_t *address, size_t bytes, void *stream) {
  Lock lock(device);
  check_context();
  own_stream(stream);
  counts.allocations++;
  void *memory = nullptr;
  if (bytes == 0 || posix_memalign(&memory, 256, bytes + MARGIN)) return INVALID_VALUE;
  std::memset(memory, 0xFF, bytes);
  std::memset(static_cast<char *>(memory) + bytes, 0xA5, MARGIN);
  *address = reinterpret_cast<uint64_t>(memory);
  blocks[*address] = bytes;
  taken += bytes;
  if (taken > most_taken) most_taken = taken;
  return SUCCESS;
}

int release(uint64_t address, void *stream) {
  Lock lock(device);
  check_context();
  if (!blocks.count(address)) fail("memory is given back that nobody asked for");
  queue(own_stream(stream), [address] {
    size_t bytes = blocks[address];
    char *memory = reinterpret_cast<char *>(address);
    for (size_t i = 0; i < MARGIN; i++)
      if (memory[bytes + i] != char(0xA5)) fail("somebody wrote past the end of a block");
    blocks.erase(address);
    taken -= bytes;
    std::free(memory);
  });
  return SUCCESS;
}

int allocate_host(void **memory, size_t bytes, unsigned) { return *memory = std::malloc(bytes), SUCCESS; }

int release_host(void *memory) {
  std::free(memory);
  return SUCCESS;
}

int upload(uint64_t to, const void *from, size_t bytes, void *stream) {
  Lock lock(device);
  check_context();
  check(to, bytes);
  counts.uploaded += bytes;
  queue(own_stream(stream), [=] { std::memcpy(reinterpret_cast<void *>(to), from, bytes); });
  if (copies_at_once) run(static_cast<Stream *>(stream), [] { return false; });
  return SUCCESS;
}

int download(void *to, uint64_t from, size_t bytes, void *stream) {
  Lock lock(device);
  check_context();
  check(from, bytes);
  counts.downloads++;
  queue(own_stream(stream), [=] { std::memcpy(to, reinterpret_cast<void *>(from), bytes); });
  return SUCCESS;
}

struct Function {
  const Kernel *kernel;
  unsigned most_shared = 48 << 10;
};

int load_module(void **module, const void *image) {
  if (std::strcmp(static_cast<const char *>(image), "kernels of the emulation") != 0) return INVALID_VALUE;
  *module = new std::vector<Function *>;
  return SUCCESS;
}

int unload_module(void *module) {
  auto functions = static_cast<std::vector<Function *> *>(module);
  for (auto function : *functions) delete function;
  delete functions;
  return SUCCESS;
}

int get_function(void **function, void *module, const char *name) {
  const Kernel *kernel = find_kernel(name);
  if (!kernel) return NOT_FOUND;
  auto found = new Function{kernel};
  static_cast<std::vector<Function *> *>(module)->push_back(found);
  *function = found;
  return SUCCESS;
}

int set_function_attribute(void *function, int attribute, int value) {
  if (attribute != 8 || value > 232448) return INVALID_VALUE;
  static_cast<Function *>(function)->most_shared = value;
  return SUCCESS;
}

int launch(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared,
           void *stream, void **arguments, void **) {
  Lock lock(device);
  check_context();
  auto own = static_cast<Function *>(function);
  if (gx == 0 || gy == 0 || gz == 0 || gy > 65535 || gz > 65535 || shared > own->most_shared) return INVALID_VALUE;
  counts.launches++;
  auto bytes = static_cast<const char *>(arguments[0]);
  std::vector<char> copy(bytes, bytes + own->kernel->argument_size);
  auto body = own->kernel->body;
  queue(static_cast<Stream *>(stream), [=]() mutable { run_grid({gx, gy, gz}, {bx, by, bz}, shared, body, copy.data()); });
  return SUCCESS;
}

int begin_capture(void *stream, unsigned mode) {
  Lock lock(device);
  check_context();
  if (mode != 2) return INVALID_VALUE;
  return own_stream(stream)->recorded = new Graph, SUCCESS;
}

int end_capture(void *stream, void **graph) {
  Lock lock(device);
  auto own = static_cast<Stream *>(stream);
  if (!own->recorded) return INVALID_VALUE;
  *graph = own->recorded;
  own->recorded = nullptr;
  return SUCCESS;
}

int graph_instantiate(void **executable, void *graph, unsigned long long flags) {
  if (flags != 0) return INVALID_VALUE;
  return *executable = new Graph(*static_cast<Graph *>(graph)), SUCCESS;
}

int graph_launch(void *executable, void *stream) {
  Lock lock(device);
  check_context();
  counts.graphs++;
  for (const auto &work : *static_cast<Graph *>(executable)) queue(own_stream(stream), work);
  return SUCCESS;
}

int graph_destroy(void *graph) {
  delete static_cast<Graph *>(graph);
  return SUCCESS;
}

// NVRTC

int compiler_version(int *major, int *minor) { return *major = 12, *minor = 9, SUCCESS; }

int program_create(void **program, const char *source, const char *, int, const char *const *, const char *const *) {
  *program = new std::string(source);
  return SUCCESS;
}

int program_compile(void *, int, const char *const *) { return SUCCESS; }
int program_log_size(void *, size_t *bytes) { return *bytes = 1, SUCCESS; }
int program_log(void *, char *log) { return *log = 0, SUCCESS; }

const char image[] = "kernels of the emulation";
int program_binary_size(void *, size_t *bytes) { return *bytes = sizeof image, SUCCESS; }

int program_binary(void *, char *binary) {
  std::memcpy(binary, image, sizeof image);
  return SUCCESS;
}

int program_destroy(void **program) {
  delete static_cast<std::string *>(*program);
  return SUCCESS;
}

// cuBLASLt

struct Product {
  int transposed[2] = {0, 0};
  int epilogue = 1;
  const void *bias = nullptr;
};

struct Layout {
  int type;
  uint64_t rows, columns;
  int64_t ld;
};

size_t products_version() { return 120900; }
int products_create(void **handle) { return *handle = &device, SUCCESS; }
int products_destroy(void *) { return SUCCESS; }

int product_create(void **product, int compute_type, int scale_type) {
  if ((compute_type != 68 && compute_type != 77) || scale_type != 0) return INVALID_VALUE;
  *product = new Product;
  return SUCCESS;
}

int product_destroy(void *product) {
  delete static_cast<Product *>(product);
  return SUCCESS;
}

int product_set(void *product, int attribute, const void *value, size_t bytes) {
  auto own = static_cast<Product *>(product);
  switch (attribute) {
    case 3: case 4:
      if (bytes != 4) return INVALID_VALUE;
      std::memcpy(&own->transposed[attribute - 3], value, 4);
      return SUCCESS;
    case 7:
      if (bytes != 4) return INVALID_VALUE;
      std::memcpy(&own->epilogue, value, 4);
      return SUCCESS;
    case 8:
      if (bytes != 8) return INVALID_VALUE;
      std::memcpy(&own->bias, value, 8);
      return SUCCESS;
    default: return INVALID_VALUE;
  }
}

int layout_create(void **layout, int type, uint64_t rows, uint64_t columns, int64_t ld) {
  if ((type != 0 && type != 14) || ld < (int64_t)rows || rows == 0 || columns == 0) return INVALID_VALUE;
  *layout = new Layout{type, rows, columns, ld};
  return SUCCESS;
}

int layout_destroy(void *layout) {
  delete static_cast<Layout *>(layout);
  return SUCCESS;
}

int preference_create(void **preference) { return *preference = new int(0), SUCCESS; }

int preference_destroy(void *preference) {
  delete static_cast<int *>(preference);
  return SUCCESS;
}

int preference_set(void *, int attribute, const void *, size_t bytes) {
  size_t wanted = attribute == 1 ? 8 : attribute == 3 || (attribute >= 5 && attribute <= 8) ? 4 : 0;
  return bytes == wanted ? SUCCESS : INVALID_VALUE;
}

// The last of three algorithms needs a multiple of eight columns (`rows` of a column-major layout).
constexpr uint64_t ALGORITHM = 0xA160000000000000;
bool fits(uint64_t number, const Layout &out) { return number < 2 || (number == 2 && out.rows % 8 == 0); }

int heuristic(void *, void *, void *, void *, void *, void *out, void *, int wanted, void *results, int *found) {
  if (wanted < 1) return INVALID_VALUE;
  auto proposals = static_cast<hero_cuda_heuristic *>(results);
  *found = 0;
  for (uint64_t place = 0; place < 3 && *found < wanted; place++) {
    uint64_t number = proposes_last_first ? 2 - place : place;
    if (!fits(number, *static_cast<Layout *>(out))) continue;
    proposals[*found] = {};
    proposals[(*found)++].algorithm[0] = ALGORITHM + number;
  }
  return SUCCESS;
}

float element(const void *from, const Layout &layout, uint64_t i) {
  float x;
  if (layout.type == 0) return std::memcpy(&x, static_cast<const float *>(from) + i, 4), x;
  unsigned bits = unsigned(static_cast<const unsigned short *>(from)[i]) << 16;
  return std::memcpy(&x, &bits, 4), x;
}

void set_element(void *to, const Layout &layout, uint64_t i, float x) {
  if (layout.type == 0) {
    static_cast<float *>(to)[i] = x;
    return;
  }
  unsigned bits;
  std::memcpy(&bits, &x, 4);
  bool is_nan = (bits & 0x7FFFFFFFu) > 0x7F800000u;
  static_cast<unsigned short *>(to)[i] =
      (unsigned short)(is_nan ? bits >> 16 | 0x40u : (bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16);
}

std::vector<float> floats(const void *from, const Layout &layout) {
  std::vector<float> values(layout.rows * layout.columns);
  for (uint64_t c = 0; c < layout.columns; c++)
    for (uint64_t r = 0; r < layout.rows; r++) values[c * layout.rows + r] = element(from, layout, c * layout.ld + r);
  return values;
}

int multiply(void *, void *product, const void *alpha, const void *a, void *a_layout, const void *b, void *b_layout,
             const void *beta, const void *c, void *c_layout, void *d, void *d_layout, const void *algorithm, void *,
             size_t, void *stream) {
  Lock lock(device);
  check_context();
  Product how = *static_cast<Product *>(product);
  Layout la = *static_cast<Layout *>(a_layout), lb = *static_cast<Layout *>(b_layout), ld = *static_cast<Layout *>(d_layout);
  uint64_t inner = how.transposed[0] ? la.rows : la.columns, m = how.transposed[0] ? la.columns : la.rows;
  uint64_t other = how.transposed[1] ? lb.columns : lb.rows, n = how.transposed[1] ? lb.rows : lb.columns;
  if (la.type != lb.type || inner != other || m != ld.rows || n != ld.columns || c != d || c_layout != d_layout)
    return INVALID_VALUE;
  if (how.epilogue != 1 && how.epilogue != 2 && how.epilogue != 4 && how.epilogue != 6) return INVALID_VALUE;
  float factor, keep;
  std::memcpy(&factor, alpha, 4);
  std::memcpy(&keep, beta, 4);
  uint64_t number;
  std::memcpy(&number, algorithm, sizeof number);
  number -= ALGORITHM;
  if (!fits(number, ld)) return INVALID_VALUE;
  counts.launches++;
  counts.products[number]++;
  double milliseconds = product_milliseconds[number];
  auto own_stream = static_cast<Stream *>(stream);
  queue(own_stream, [=] {
    own_stream->milliseconds += milliseconds;
    auto left = floats(a, la), right = floats(b, lb);
    std::vector<float> out(m * n);
    // A column-major product is the row-major product with its factors exchanged.
    hero_sgemm(how.transposed[1], how.transposed[0], n, m, inner, factor, right.data(), lb.rows, left.data(), la.rows, 0,
               out.data(), m);
    for (uint64_t j = 0; j < n; j++)
      for (uint64_t i = 0; i < m; i++) {
        float x = out[j * m + i];
        if (keep != 0) x += keep * element(d, ld, j * ld.ld + i);
        if (how.epilogue & 4) x += element(how.bias, ld, i);
        if (how.epilogue & 2) x = x < 0 ? 0 : x;
        set_element(d, ld, j * ld.ld + i, x);
      }
  });
  return SUCCESS;
}

}  // namespace

const hero_cuda_functions *hero_cuda_emulation(void) {
  static const hero_cuda_functions functions = {
      error_string, init, device_count, device_get, device_name, device_attribute, device_memory,
      device_uuid, retain_context, release_context, set_context, stream_create, stream_destroy, stream_synchronize, stream_wait, event_create,
      event_destroy, event_record, event_query, event_synchronize, event_elapsed, default_pool, set_pool_attribute, get_pool_attribute, allocate, release,
      allocate_host, release_host, upload, download, load_module, unload_module, get_function, set_function_attribute,
      launch, begin_capture, end_capture, graph_instantiate, graph_launch, graph_destroy, graph_destroy, compiler_version, program_create, program_compile, program_log_size, program_log, program_binary_size,
      program_binary, program_destroy, products_version, products_create, products_destroy, product_create,
      product_destroy, product_set, layout_create, layout_destroy, preference_create, preference_destroy, preference_set,
      heuristic, multiply, ranks_version, ranks_id, ranks_create, ranks_abort, ranks_failure, ranks_error_string, ranks_sum,
      ranks_broadcast, ranks_group_start, ranks_group_end};
  if (hero_blas_load()) fail("OpenBLAS is not installed");
  return &functions;
}

hero_cuda_emulation_counts hero_cuda_emulation_count(void) {
  return counts;
}

void hero_cuda_emulation_time_products(double first, double second, double third) {
  product_milliseconds[0] = first, product_milliseconds[1] = second, product_milliseconds[2] = third;
}

void hero_cuda_emulation_propose_last_first(bool yes) {
  proposes_last_first = yes;
}

void hero_cuda_emulation_copy_at_once(bool yes) {
  copies_at_once = yes;
}
