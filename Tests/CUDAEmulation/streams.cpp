#include "streams.h"

#include <cstdio>
#include <cstdlib>

namespace emulation {

std::recursive_mutex device;
std::condition_variable_any moved;

void fail(const std::string &what) {
  std::fprintf(stderr, "CUDA emulation: %s\n", what.c_str());
  std::abort();
}

void queue(Stream *stream, std::function<void()> work) {
  (stream->recorded ? *stream->recorded : stream->work).push_back(std::move(work));
}

void run(Stream *stream, const std::function<bool()> &enough) {
  const std::thread::id nobody, self = std::this_thread::get_id();
  if (stream->runner == self) fail("a stream waits for itself");
  // The stream's work may wait for another rank, whose thread then holds the device.
  while (stream->runner != nobody && !enough()) moved.wait(device);
  if (enough()) return;
  stream->runner = self;
  while (!stream->work.empty() && !enough()) {
    auto work = std::move(stream->work.front());
    stream->work.pop_front();
    work();
    // Another thread may wait for no more than this piece of work.
    moved.notify_all();
  }
  stream->runner = nobody;
  moved.notify_all();
}

}  // namespace emulation
