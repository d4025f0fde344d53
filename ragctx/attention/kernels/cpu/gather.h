// What up to LANES queries gather from one tile of keys after the other.
#pragma once
#include "product.h"

#include <cstdlib>
#include <new>

constexpr float LOWEST = -1e30f;  // a finite floor: what is masked in every tile so far stays 0, not NaN

template <class T>
struct Buffer {  // aligned to cache lines
  explicit Buffer(size_t count) : data(static_cast<T*>(std::aligned_alloc(64, (count * sizeof(T) + 63) / 64 * 64))) {
    if (!data) throw std::bad_alloc();
  }
  ~Buffer() { std::free(data); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  T* const data;
};

// One tile of keys and values as both products want it.
struct Packed {
  const Unit* keys;    // [width / DEEP][TILE]
  const Unit* values;  // [TILE / DEEP][width]
};

// Some queries and what they have gathered so far. Queries are the lanes of vectors: a tile's scores are kept as
// [keys][lanes], so running maximum and sum of every query need no sum across a vector.
struct Slot {
  explicit Slot(int width) : query(size_t(width) / DEEP * LANES), output(size_t(width) * LANES) {}
  int count;             // lanes that hold a query
  Buffer<Unit> query;    // [width / DEEP][LANES]
  Buffer<float> output;  // [width][LANES]
  alignas(64) float most[LANES], total[LANES];  // running maximum of scores, as powers of two, and sum
  alignas(64) int32_t last[LANES];              // position of the last key that a lane sees
};

inline void share(float* to, int k, Floats even, Floats odd) {
#if defined(__AVX512BF16__)
  *reinterpret_cast<Words*>(to + k / 2 * LANES) = pairs(even, odd);  // in place: no row is overwritten before it is read
#else
  store(to + k * LANES, even);
  store(to + (k + 1) * LANES, odd);
#endif
}

// The softmax of a tile: scores become probabilities relative to the running maximum, in units of the second product.
template <int NV>
inline void soften(Slot& own, float* scores, float scale, int first, bool cut, Floats* shrink) {
  for (int v = 0; v < NV; v++) {
    float* const column = scores + v * WIDE;
    if (cut) {
      const Ints last = *reinterpret_cast<const Ints*>(own.last + v * WIDE);
      for (int k = 0; k < TILE; k++) {
        float* at = column + k * LANES;
        store(at, last >= first + k ? load(at) : all(LOWEST));
      }
    }
    Floats most[4] = {all(LOWEST), all(LOWEST), all(LOWEST), all(LOWEST)};
    for (int k = 0; k < TILE; k += 4)
      for (int n = 0; n < 4; n++) most[n] = larger(most[n], load(column + (k + n) * LANES));
    const Floats highest = larger(larger(most[0], most[1]), larger(most[2], most[3]));
    const Floats before = load(own.most + v * WIDE), now = larger(before, highest * scale);
    shrink[v] = exp2(before - now);
    Floats sum{}, other{};
    for (int k = 0; k < TILE; k += 2) {
      const Floats even = exp2(load(column + k * LANES) * scale - now);
      const Floats odd = exp2(load(column + (k + 1) * LANES) * scale - now);
      sum += even;
      other += odd;
      share(column, k, even, odd);
    }
    store(own.total + v * WIDE, load(own.total + v * WIDE) * shrink[v] + (sum + other));
    store(own.most + v * WIDE, now);
  }
}

// One tile of keys, the first of them at position `first`; `cut` where some lanes do not see all of them.
template <int NV>
inline void gather(Slot& own, Packed given, Packed next, int width, float scale, int first, bool cut, float* scores) {
  Floats shrink[NV];
  const size_t bytes = next.keys ? size_t(width) / DEEP * TILE * sizeof(Unit) : 0;
  product<NV, false>(given.keys, TILE, own.query.data, scores, width / DEEP, shrink,
                     {reinterpret_cast<const char*>(next.keys), bytes});
  soften<NV>(own, scores, scale, first, cut, shrink);
  product<NV, true>(given.values, width, reinterpret_cast<const Unit*>(scores), own.output.data, TILE / DEEP, shrink,
                    {reinterpret_cast<const char*>(next.values), bytes});
}
