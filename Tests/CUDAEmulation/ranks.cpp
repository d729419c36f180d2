#include "ranks.h"

#include <cstring>
#include <map>
#include <memory>
#include <vector>

#include "streams.h"

using namespace emulation;

// A collective takes place once all ranks have reached it in their streams. The first rank to reach
// it runs the others' streams up to it, as devices work on though nobody waits for them.
namespace {

enum { SUCCESS = 0, INVALID_ARGUMENT = 4, INVALID_USAGE = 5 };

struct Call {
  bool is_sum;
  size_t count;
  int type, root;
  bool meets(const Call &other) const {
    return is_sum == other.is_sum && count == other.count && type == other.type && root == other.root;
  }
};

struct Meeting {
  struct Part {
    Stream *stream = nullptr;
    const void *from;
    void *to;
    Call call;
    bool is_there = false;
  };
  std::vector<Part> parts;
  bool is_over = false;
};

struct Group {
  std::map<long, std::shared_ptr<Meeting>> meetings;
  int size, joined = 0;
};

struct Rank {
  std::shared_ptr<Group> group;
  int rank;
  // The number of collectives asked for, and the stream on which each is queued.
  long asked = 0;
  std::map<long, Stream *> open;
};

std::map<std::string, std::shared_ptr<Group>> groups;
thread_local int depth = 0;
thread_local std::vector<std::function<void()>> held;

size_t bytes_of(int type) { return type == 7 || type == 2 ? 4 : type == 8 ? 8 : type == 9 ? 2 : 0; }

float widened(uint16_t half) {
  uint32_t bits = uint32_t(half) << 16;
  float x;
  return std::memcpy(&x, &bits, 4), x;
}

uint16_t narrowed(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return uint16_t(bits >> 16 | 0x40u);
  return uint16_t((bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16);
}

template <class T> void add(std::vector<Meeting::Part> &parts, size_t count) {
  std::vector<T> sum(count);
  for (auto &part : parts)
    for (size_t i = 0; i < count; i++) sum[i] += static_cast<const T *>(part.from)[i];
  for (auto &part : parts) std::memcpy(part.to, sum.data(), count * sizeof(T));
}

void add_halves(std::vector<Meeting::Part> &parts, size_t count) {
  std::vector<uint16_t> sum(count);
  for (auto &part : parts)
    for (size_t i = 0; i < count; i++)
      sum[i] = narrowed(widened(sum[i]) + widened(static_cast<const uint16_t *>(part.from)[i]));
  for (auto &part : parts) std::memcpy(part.to, sum.data(), 2 * count);
}

void finish(Meeting &meeting) {
  Call call = meeting.parts[0].call;
  for (auto &part : meeting.parts)
    if (!part.call.meets(call)) fail("the ranks met in different operations");
  if (!call.is_sum) {
    std::vector<char> copy(call.count * bytes_of(call.type));
    std::memcpy(copy.data(), meeting.parts[call.root].from, copy.size());
    for (auto &part : meeting.parts) std::memcpy(part.to, copy.data(), copy.size());
  } else if (call.type == 9) {
    add_halves(meeting.parts, call.count);
  } else if (call.type == 8) {
    add<double>(meeting.parts, call.count);
  } else {
    add<float>(meeting.parts, call.count);
  }
  meeting.is_over = true;
  moved.notify_all();
}

void meet(const std::shared_ptr<Meeting> &meeting, int rank) {
  meeting->parts[rank].is_there = true;
  while (!meeting->is_over) {
    Stream *behind = nullptr;
    bool are_all_there = true, are_all_asked = true;
    for (auto &part : meeting->parts) {
      are_all_there = are_all_there && part.is_there;
      are_all_asked = are_all_asked && part.stream;
      if (part.stream && !part.is_there && !behind) behind = part.stream;
    }
    if (are_all_there) {
      finish(*meeting);
    } else if (behind && are_all_asked) {
      run(behind, [&] { return meeting->is_over; });
    } else {
      moved.wait(device);
    }
  }
}

void ask(Rank *own, const void *from, void *to, Call call, Stream *stream) {
  Lock lock(device);
  long number = own->asked++;
  auto &meeting = own->group->meetings[number];
  if (!meeting) {
    meeting = std::make_shared<Meeting>();
    meeting->parts.resize(own->group->size);
  }
  auto &part = meeting->parts[own->rank];
  part.from = from, part.to = to, part.call = call, part.stream = stream;
  own->open[number] = stream;
  queue(stream, [own, number, meeting = meeting] {
    // NCCL runs a communicator's operations in order, whatever their streams.
    while (own->open.begin()->first < number) {
      long first = own->open.begin()->first;
      run(own->open.begin()->second, [=] { return own->open.count(first) == 0; });
    }
    meet(meeting, own->rank);
    own->open.erase(number);
    own->group->meetings.erase(number);
  });
  moved.notify_all();
}

int ask_or_hold(void *ranks, const void *from, void *to, Call call, void *stream) {
  if (!bytes_of(call.type)) return INVALID_ARGUMENT;
  auto work = [=] { ask(static_cast<Rank *>(ranks), from, to, call, static_cast<Stream *>(stream)); };
  if (depth > 0) {
    held.push_back(work);
  } else {
    work();
  }
  return SUCCESS;
}

}  // namespace

int ranks_version(int *version) { return *version = 22703, SUCCESS; }

int ranks_id(hero_nccl_id *id) {
  Lock lock(device);
  static int next = 0;
  std::memset(id, 0, sizeof *id);
  std::string name = "ranks " + std::to_string(next++);
  std::memcpy(id->bytes, name.data(), name.size());
  return SUCCESS;
}

int ranks_create(void **ranks, int size, hero_nccl_id id, int rank) {
  std::unique_lock<std::recursive_mutex> lock(device);
  if (rank < 0 || rank >= size) return INVALID_ARGUMENT;
  auto &group = groups[std::string(id.bytes, sizeof id.bytes)];
  if (!group) {
    group = std::make_shared<Group>();
    group->size = size;
  }
  auto own = new Rank;
  own->group = group;
  own->rank = rank;
  group->joined++;
  moved.notify_all();
  while (own->group->joined < size) moved.wait(lock);
  *ranks = own;
  return SUCCESS;
}

int ranks_abort(void *) { return SUCCESS; }
int ranks_failure(void *, int *error) { return *error = SUCCESS, SUCCESS; }
const char *ranks_error_string(int) { return "invalid argument"; }

int ranks_sum(const void *from, void *to, size_t count, int type, int operation, void *ranks, void *stream) {
  if (operation != 0) return INVALID_ARGUMENT;
  return ask_or_hold(ranks, from, to, {true, count, type, 0}, stream);
}

int ranks_broadcast(const void *from, void *to, size_t count, int type, int root, void *ranks, void *stream) {
  return ask_or_hold(ranks, from, to, {false, count, type, root}, stream);
}

int ranks_group_start() { return depth++, SUCCESS; }

int ranks_group_end() {
  if (depth == 0) return INVALID_USAGE;
  if (--depth > 0) return SUCCESS;
  for (auto &work : held) work();
  held.clear();
  return SUCCESS;
}
