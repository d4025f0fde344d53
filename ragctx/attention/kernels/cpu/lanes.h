// Queries into lanes, and what they gathered out of them.
#pragma once
#include "call.h"
#include "gather.h"

#include <algorithm>
#include <cmath>

// One row of the index: the query heads of a group at one tile of queries.
struct Task {
  int of, head, row;  // `of`: which KV head of all requests
  int begin, end;     // positions of its queries
  long token;         // row of the first of them in the query tensor
  long cost;

  int queries() const { return end - begin; }
};

// Lane n of a task holds the query `n % queries` of the group's head `n / queries`.
template <class E>
class Turned {
 public:
  explicit Turned(const Call& call) : call_(call), group_(call.heads / call.kv_heads) {}

  void fill(const Task& task, int from, int count, Slot& slot) const {
    const int units = call_.width / DEEP;
    slot.count = count;
    if (count < LANES) std::fill(slot.query.data, slot.query.data + size_t(units) * LANES, Unit{});
    std::fill(slot.output.data, slot.output.data + size_t(call_.width) * LANES, 0.0f);
    std::fill(slot.most, slot.most + LANES, LOWEST);
    std::fill(slot.total, slot.total + LANES, 0.0f);
    std::fill(slot.last, slot.last + LANES, -1);
    for (int n = 0; n < count; n++) {
      const E* const row = static_cast<const E*>(call_.query) + at(task, from + n, call_.query_token, call_.query_head);
      slot.last[n] = task.begin + (from + n) % task.queries();
      for (int u = 0; u < units; u++) slot.query.data[u * LANES + n] = unit(row + u * DEEP, row + u * DEEP + DEEP - 1);
    }
  }

  void write(const Task& task, int from, Slot& slot) const {
    constexpr int EACH = 4 / sizeof(E);  // numbers of a word
    const int words = call_.width / EACH;
    for (int v = 0; v < LANES; v += WIDE) {
      const Floats inverse = 1.0f / load(slot.total + v);
      for (int w = 0; w < words; w++) {  // in place: no row is overwritten before it is read
        float* const even = slot.output.data + size_t(w) * EACH * LANES + v;
        const Words word = joined(load(even) * inverse, load(even + (EACH - 1) * LANES) * inverse);
        *reinterpret_cast<Words*>(slot.output.data + size_t(w) * LANES + v) = word;
      }
    }
    for (int n = 0; n < slot.count; n++) {
      E* const row = static_cast<E*>(call_.output) + at(task, from + n, call_.output_token, call_.output_head);
      for (int w = 0; w < words; w++) std::memcpy(row + w * EACH, slot.output.data + size_t(w) * LANES + n, 4);
      call_.lse[at(task, from + n, call_.heads, 1)] = (slot.most[n] + std::log2(slot.total[n])) * 0.6931471805599453f;
    }
  }

 private:
  static Words joined(Floats even, Floats odd) { return sizeof(E) == 2 ? pairs(even, odd) : (Words)even; }

  long at(const Task& task, int n, long token, long head) const {
    return (task.token + n % task.queries()) * token + (long(task.head) * group_ + n / task.queries()) * head;
  }

  const Call& call_;
  const int group_;
};
