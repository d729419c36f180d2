// Work in the order in which it was asked for, done when somebody waits.
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

// Work that is queued as one, again and again.
using Graph = std::deque<std::function<void()>>;

struct Stream {
  std::deque<std::function<void()>> work;
  // What takes the work in place of the stream, while a graph is recorded.
  Graph *recorded = nullptr;
  // What its products have taken, by their algorithms.
  double milliseconds = 0;
  // Who does its work at the moment.
  std::thread::id runner;
};

// Kernels and streams share one device: nobody else runs meanwhile.
extern std::recursive_mutex device;
// Told where somebody may have waited for a stream or for another rank.
extern std::condition_variable_any moved;
using Lock = std::lock_guard<std::recursive_mutex>;

void queue(Stream *stream, std::function<void()> work);

// Does the stream's work till `enough`, or all of it. The device is locked, once.
void run(Stream *stream, const std::function<bool()> &enough);

}  // namespace emulation
