// Where keys and values are, and how they get into the form that products want.
#pragma once
#include "call.h"
#include "gather.h"

#include <algorithm>

constexpr int MOST_WIDTH = 256;

// Keys and values of a call in numbers of type E: rows, or vLLM's pages on CPU.
template <class E>
class Held {
 public:
  explicit Held(const Call& call) : call_(call) {}

  // One tile of a request and KV head; what is after the end is 0, so that nothing foreign gets into a sum.
  void pack(int r, int h, int tile, Unit* keys, Unit* values) const {
    const int begin = tile * TILE, count = std::min(TILE, call_.keys[r] - begin);
    const E *key[TILE], *value[TILE];
    if (call_.pages) {
      const E* const at = page(r, h, begin);
      columns(at + begin % call_.page, count, keys);
      const E* const first = at + (long(call_.width) * call_.page + long(begin % call_.page) * call_.width);
      for (int t = 0; t < count; t++) value[t] = first + long(t) * call_.width;
    } else {
      const Strides& by = call_.strides[r];
      for (int t = 0; t < count; t++) {
        key[t] = static_cast<const E*>(call_.key_of[r]) + ((begin + t) * by.key_token + h * by.key_head);
        value[t] = static_cast<const E*>(call_.value_of[r]) + ((begin + t) * by.value_token + h * by.value_head);
      }
      rows(key, count, keys);
    }
    std::fill(value + count, value + TILE, zeros_);
    for (int p = 0; p < TILE / DEEP; p++, values += call_.width) {
      const E *const even = value[p * DEEP], *const odd = value[p * DEEP + DEEP - 1];
      for (int d = 0; d < call_.width; d++) values[d] = unit(even + d, odd + d);
    }
  }

 private:
  // [block][KV head][keys of a page, transposed | values of a page]
  const E* page(int r, int h, int token) const {
    const long block = call_.pages[long(r) * call_.most_pages + token / call_.page];
    return static_cast<const E*>(call_.cache) + (block * call_.block_stride + h * call_.head_stride);
  }

  void rows(const E* const* key, int count, Unit* to) const {
    for (int t = 0; t < TILE; t++) {
      const E* const from = t < count ? key[t] : zeros_;
      for (int u = 0; u < call_.width / DEEP; u++) to[u * TILE + t] = unit(from + u * DEEP, from + u * DEEP + DEEP - 1);
    }
  }

  void columns(const E* from, int count, Unit* to) const {
    for (int u = 0; u < call_.width / DEEP; u++, to += TILE) {
      const E *const even = from + long(u) * DEEP * call_.page, *const odd = even + (DEEP - 1) * call_.page;
      for (int t = 0; t < count; t++) to[t] = unit(even + t, odd + t);
      std::fill(to + count, to + TILE, Unit{});
    }
  }

  const Call& call_;
  static constexpr E zeros_[MOST_WIDTH]{};
};
