// Streams queue work in order and do it when somebody waits.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace emulation {

[[noreturn]] void fail(const std::string &what);

// Work that is queued as a whole, any number of times.
using Graph = std::deque<std::function<void()>>;

struct Stream {
  std::deque<std::function<void()>> work;
  // The graph that takes the work while it is recorded, or nullptr.
  Graph *recorded = nullptr;
  // The milliseconds that the stream's products have taken.
  double milliseconds = 0;
  // The thread that runs the work at the moment.
  std::thread::id runner;
};

// The lock of the one device that kernels and streams share.
extern std::recursive_mutex device;
// Notified where a thread may be waiting for a stream or another rank.
extern std::condition_variable_any moved;
using Lock = std::lock_guard<std::recursive_mutex>;

void queue(Stream *stream, std::function<void()> work);

// Runs the stream's work until `enough` holds or none is left. The caller locks the device once.
void run(Stream *stream, const std::function<bool()> &enough);

}  // namespace emulation
