// Attention over an index of key tiles, for one instruction set; compiled once for each, see `build.py`.
//
// Queries are the lanes of vectors: a tile's scores are kept as [keys][lanes], so running maximum and sum of every query
// need no sum across a vector, and probabilities are where the second product wants them. Both products are one and the
// same: C[m][lanes] += A[m][k] * B[k][lanes], A read number by number. A number is a float, or on machines that
// multiply pairs of bfloat16, a pair: of neighbouring dimensions in the first product, of neighbouring keys in the second.
#include "call.h"
#include "vectors.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <new>
#include <numeric>
#include <thread>
#include <vector>

namespace {

constexpr int TILE = 64;
constexpr float LOG2E = 1.4426950408889634f, LN2 = 0.6931471805599453f;
constexpr float LOWEST = -1e30f;  // a finite floor: what is masked in every tile so far stays 0, not NaN

#if defined(__AVX512BF16__)
typedef uint32_t Unit;  // a pair of bfloat16
constexpr int DEEP = 2;
static inline Floats times(Floats sum, Unit a, const Unit* b) {
  const __m512i pair = _mm512_set1_epi32(int(a)), lanes = _mm512_loadu_si512(b);
  return (Floats)_mm512_dpbf16_ps((__m512)sum, (__m512bh)pair, (__m512bh)lanes);
}
static inline Unit unit(const float* x) { return uint32_t(to_bf16(x[0])) | uint32_t(to_bf16(x[1])) << 16; }
// Two rows of probabilities become one row of pairs.
static inline void join(Unit* to, const float* even, const float* odd) {
  const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                                         21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  const __m512bh both = _mm512_cvtne2ps_pbh(_mm512_loadu_ps(odd), _mm512_loadu_ps(even));
  _mm512_storeu_si512(to, _mm512_permutexvar_epi16(order, (__m512i)both));
}
#else
typedef float Unit;
constexpr int DEEP = 1;
static inline Floats times(Floats sum, Unit a, const Unit* b) { return sum + a * load(b); }
static inline Unit unit(const float* x) { return x[0]; }
#endif

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

// C[M][lanes] (+)= sum over k of A[m * down + k * along] * B[k][lanes], for NV vectors of lanes.
template <int M, int NV, bool ADD>
inline void strip(const Unit* a, long down, long along, const Unit* b, float* c, int depth) {
  Floats sum[M][NV];
  for (int m = 0; m < M; m++)
    for (int v = 0; v < NV; v++) sum[m][v] = ADD ? load(c + m * TILE + v * WIDE) : Floats{};
  for (int k = 0; k < depth; k++)
    for (int m = 0; m < M; m++)
      for (int v = 0; v < NV; v++) sum[m][v] = times(sum[m][v], a[m * down + k * along], b + k * TILE + v * WIDE);
  for (int m = 0; m < M; m++)
    for (int v = 0; v < NV; v++) store(c + m * TILE + v * WIDE, sum[m][v]);
}

template <int NV, bool ADD>
inline void product(const Unit* a, long down, long along, const Unit* b, float* c, int height, int depth) {
  int m = 0;
  for (; m + 6 <= height; m += 6) strip<6, NV, ADD>(a + m * down, down, along, b, c + m * TILE, depth);
  for (; m + 2 <= height; m += 2) strip<2, NV, ADD>(a + m * down, down, along, b, c + m * TILE, depth);
}

// Keys and values of one request and KV head: keys as rows of units, values as rows of pairs of keys (or of keys).
struct Packed {
  const Unit* keys;    // [tokens][width / DEEP]
  const Unit* values;  // [tokens / DEEP][width]
};

// What some queries have gathered so far.
struct Lanes {
  int count;            // lanes that hold a query
  const int* last;      // [TILE] position of the last key that a lane sees
  const Unit* query;    // [width / DEEP][TILE]
  float* most;          // [TILE] running maximum of scores, as powers of two
  float* total;         // [TILE]
  float* output;        // [width][TILE]
};

// The softmax of a tile: scores become probabilities relative to the running maximum; what was gathered is rescaled.
template <int NV>
inline void soften(Lanes& own, float* scores, Unit* shares, float scale, int width, int first, bool cut) {
  bool moved = false;
  Floats shrink[NV];
  for (int v = 0; v < NV; v++) {
    const Ints last = *reinterpret_cast<const Ints*>(own.last + v * WIDE);
    Floats most = all(LOWEST);
    for (int k = 0; k < TILE; k++) {
      float* at = scores + k * TILE + v * WIDE;
      if (cut) store(at, last >= first + k ? load(at) : all(LOWEST));
      most = larger(most, load(at));
    }
    const Floats before = load(own.most + v * WIDE), now = larger(before, most * scale);
    shrink[v] = exp2(before - now);
    Floats sum{};
    for (int k = 0; k < TILE; k++) {
      float* at = scores + k * TILE + v * WIDE;
      const Floats share = exp2(load(at) * scale - now);
      sum += share;
      store(at, share);
    }
    store(own.total + v * WIDE, load(own.total + v * WIDE) * shrink[v] + sum);
    store(own.most + v * WIDE, now);
    for (int i = 0; i < WIDE; i++) moved |= shrink[v][i] != 1.0f;
  }
#if defined(__AVX512BF16__)
  for (int k = 0; k < TILE; k += 2)
    for (int v = 0; v < NV; v++)
      join(shares + k / 2 * TILE + v * WIDE, scores + k * TILE + v * WIDE, scores + (k + 1) * TILE + v * WIDE);
#else
  (void)shares;  // the scores are where they are wanted
#endif
  if (moved)
    for (int d = 0; d < width; d++)
      for (int v = 0; v < NV; v++) {
        float* at = own.output + d * TILE + v * WIDE;
        store(at, load(at) * shrink[v]);
      }
}

inline void fetch(const void* from, size_t bytes) {
  for (size_t at = 0; at < bytes; at += 64) __builtin_prefetch(static_cast<const char*>(from) + at, 0, 2);
}

template <int NV>
void gather(Lanes& own, const Packed& given, const int32_t* tiles, int count, float scale, int width, float* scores,
            Unit* shares) {
  const size_t key = size_t(width) / DEEP * TILE, value = size_t(TILE) / DEEP * width;
  for (int n = 0; n < count; n++) {
    const long tile = tiles[n];
    if (n + 1 < count) {
      fetch(given.keys + tiles[n + 1] * key, key * sizeof(Unit));
      fetch(given.values + tiles[n + 1] * value, value * sizeof(Unit));
    }
    for (int v = 0; v < NV; v += SPREAD) {
      constexpr int BY = NV < SPREAD ? NV : SPREAD;
      product<BY, false>(given.keys + tile * key, width / DEEP, 1, own.query + v * WIDE, scores + v * WIDE, TILE,
                         width / DEEP);
    }
    soften<NV>(own, scores, shares, scale, width, int(tile) * TILE, n + 1 == count);
#if defined(__AVX512BF16__)
    const Unit* right = shares;
#else
    const Unit* right = scores;
#endif
    for (int v = 0; v < NV; v += SPREAD) {
      constexpr int BY = NV < SPREAD ? NV : SPREAD;
      product<BY, true>(given.values + tile * value, 1, width, right + v * WIDE, own.output + v * WIDE, width,
                        TILE / DEEP);
    }
  }
}

inline float number(const void* from, long at, int dtype) {
  return dtype == BF16 ? of_bf16(static_cast<const uint16_t*>(from)[at]) : static_cast<const float*>(from)[at];
}

// One row of the index: the query heads of a group at one tile of queries.
struct Task {
  int request, head, row;
  long cost;
};

struct Room {  // what one thread works in
  explicit Room(int width)
      : scores(TILE * TILE), shares(TILE * TILE), query(size_t(width) * TILE), output(size_t(width) * TILE) {}
  Buffer<float> scores;
  Buffer<Unit> shares, query;
  Buffer<float> output;
  alignas(64) float most[TILE], total[TILE];
  alignas(64) int last[TILE];
};

class Attention {
 public:
  explicit Attention(const Call& call) : call_(call) {
    long tokens = 0;
    int row = 0;
    for (int r = 0; r < call.requests; r++) {
      begins_.push_back(tokens);
      rows_.push_back(row);
      tokens += call.queries[r];
      row += tiles(r) * call.kv_heads;
    }
    for (int r = 0; r < call.requests; r++)
      for (int h = 0; h < call.kv_heads; h++)
        for (int t = 0; t < tiles(r); t++) {
          const int at = rows_[r] + h * tiles(r) + t;
          tasks_.push_back({r, h, at, long(call.starts[at + 1] - call.starts[at])});
        }
    // The longest first, so that no thread begins with a long one at the end.
    std::stable_sort(tasks_.begin(), tasks_.end(), [](const Task& a, const Task& b) { return a.cost > b.cost; });
  }

  void run() {
    pack();
    std::atomic<size_t> next{0};
    each([&](Room& room) {
      for (size_t n; (n = next++) < tasks_.size();) attend(tasks_[n], room);
    });
  }

 private:
  int first(int r) const { return call_.keys[r] - call_.queries[r]; }
  int tiles(int r) const { return (call_.keys[r] + TILE - 1) / TILE - first(r) / TILE; }
  long padded(int r) const { return long(call_.keys[r] + TILE - 1) / TILE * TILE; }

  template <class F>
  void each(F work) {
    const int more = std::max(1, std::min<int>(call_.threads, int(tasks_.size()))) - 1;
    std::vector<std::thread> others;
    for (int n = 0; n < more; n++) others.emplace_back([&] { Room room(call_.width); work(room); });
    {
      Room room(call_.width);
      work(room);
    }
    for (auto& other : others) other.join();
  }

  // Only the tiles that some row looks at: a sparse call must not pay for all keys.
  void pack() {
    long size = 0;
    for (int r = 0; r < call_.requests; r++) {
      offsets_.push_back(size);
      size += padded(r) * call_.kv_heads * call_.width / DEEP;
    }
    keys_ = std::make_unique<Buffer<Unit>>(size);
    values_ = std::make_unique<Buffer<Unit>>(size);
    std::vector<std::pair<int, int>> heads;
    for (int r = 0; r < call_.requests; r++)
      for (int h = 0; h < call_.kv_heads; h++) heads.push_back({r, h});
    std::atomic<size_t> next{0};
    each([&](Room&) {
      for (size_t n; (n = next++) < heads.size();) pack(heads[n].first, heads[n].second);
    });
  }

  Packed packed(int r, int h) const {
    const long at = offsets_[r] + h * padded(r) * call_.width / DEEP;
    return {keys_->data + at, values_->data + at};
  }

  void pack(int r, int h) {
    std::vector<char> wanted(padded(r) / TILE);
    for (int t = 0, row = rows_[r] + h * tiles(r); t < tiles(r); t++, row++)
      for (int n = call_.starts[row]; n < call_.starts[row + 1]; n++) wanted[call_.blocks[n]] = 1;
    const Packed to = packed(r, h);
    for (size_t tile = 0; tile < wanted.size(); tile++)
      if (wanted[tile]) pack_tile(r, h, int(tile), const_cast<Unit*>(to.keys), const_cast<Unit*>(to.values));
  }

  void pack_tile(int r, int h, int tile, Unit* keys, Unit* values) const {
    const int width = call_.width;
    std::vector<float> key(size_t(width) * TILE), value(size_t(width) * TILE);
    for (int k = 0; k < TILE; k++) {
      const int token = tile * TILE + k;
      if (token >= call_.keys[r]) break;  // what is after the end stays 0, and is masked
      const Place at = call_.pages ? paged(r, h, token) : row(r, h, token);
      for (int d = 0; d < width; d++) {
        key[k * width + d] = number(at.key, at.key_at + d * at.key_along, call_.dtype);
        value[k * width + d] = number(at.value, at.value_at + d, call_.dtype);
      }
    }
    const size_t size = size_t(width) / DEEP * TILE;
    for (size_t n = 0; n < size; n++) keys[tile * size + n] = unit(&key[n * DEEP]);
    for (int k = 0; k < TILE / DEEP; k++)
      for (int d = 0; d < width; d++) {
        const float pair[2] = {value[k * DEEP * width + d], value[(k * DEEP + DEEP - 1) * width + d]};
        values[tile * size + size_t(k) * width + d] = unit(pair);
      }
  }

  struct Place {
    const void *key, *value;
    long key_at, key_along, value_at;
  };

  Place row(int r, int h, int token) const {
    return {call_.key_of[r], call_.value_of[r], token * call_.key_token + h * call_.key_head, 1,
            token * call_.value_token + h * call_.value_head};
  }

  // vLLM's pages on CPU: [block][KV head][page keys by width, transposed | page values]
  Place paged(int r, int h, int token) const {
    const long block = call_.pages[long(r) * call_.most_pages + token / call_.page];
    const long at = block * call_.block_stride + h * call_.head_stride, inside = token % call_.page;
    return {call_.cache, call_.cache, at + inside, call_.page, at + long(call_.page) * call_.width + inside * call_.width};
  }

  void attend(const Task& task, Room& room) {
    const int r = task.request, tile = first(r) / TILE + (task.row - rows_[r]) % tiles(r);
    const int begin = std::max(tile * TILE, first(r)), end = std::min((tile + 1) * TILE, call_.keys[r]);
    const int group = call_.heads / call_.kv_heads, rows = (end - begin) * group;
    for (int from = 0; from < rows; from += TILE) {
      const int count = std::min(TILE, rows - from);
      fill(task, room, begin, end, from, count);
      Lanes own{count, room.last, room.query.data, room.most, room.total, room.output.data};
      const int32_t* chosen = call_.blocks + call_.starts[task.row];
      spread(own, packed(r, task.head), chosen, int(task.cost), room);
      write(task, room, begin, end, from, count);
    }
  }

  void spread(Lanes& own, const Packed& given, const int32_t* chosen, int count, Room& room) const {
    const float scale = call_.scale * LOG2E;
    constexpr int MOST = TILE / WIDE;
    const int vectors = (own.count + WIDE - 1) / WIDE;
    if (vectors == 1)
      gather<1>(own, given, chosen, count, scale, call_.width, room.scores.data, room.shares.data);
    else if (vectors == 2)
      gather<2>(own, given, chosen, count, scale, call_.width, room.scores.data, room.shares.data);
    else
      gather<MOST>(own, given, chosen, count, scale, call_.width, room.scores.data, room.shares.data);
  }

  // Lane n of a task holds the query `begin + n % queries` of the head `n / queries`.
  long query_at(const Task& task, int begin, int end, int n, long token, long head) const {
    const int queries = end - begin, group = call_.heads / call_.kv_heads;
    const long at = begins_[task.request] + begin - first(task.request) + n % queries;
    return at * token + (long(task.head) * group + n / queries) * head;
  }

  void fill(const Task& task, Room& room, int begin, int end, int from, int count) const {
    const int width = call_.width;
    std::fill(room.query.data, room.query.data + size_t(width) / DEEP * TILE, Unit{});
    std::fill(room.output.data, room.output.data + size_t(width) * TILE, 0.0f);
    std::fill(room.most, room.most + TILE, LOWEST);
    std::fill(room.total, room.total + TILE, 0.0f);
    std::fill(room.last, room.last + TILE, -1);
    for (int n = 0; n < count; n++) {
      const long at = query_at(task, begin, end, from + n, call_.query_token, call_.query_head);
      room.last[n] = begin + (from + n) % (end - begin);
      for (int d = 0; d < width; d += DEEP) {
        const float pair[2] = {number(call_.query, at + d, call_.dtype),
                               number(call_.query, at + d + DEEP - 1, call_.dtype)};
        room.query.data[size_t(d) / DEEP * TILE + n] = unit(pair);
      }
    }
  }

  void write(const Task& task, Room& room, int begin, int end, int from, int count) const {
    for (int n = 0; n < count; n++) {
      const long at = query_at(task, begin, end, from + n, call_.output_token, call_.output_head);
      const float inverse = 1.0f / room.total[n];
      for (int d = 0; d < call_.width; d++) {
        const float x = room.output.data[size_t(d) * TILE + n] * inverse;
        if (call_.dtype == BF16)
          static_cast<uint16_t*>(call_.output)[at + d] = to_bf16(x);
        else
          static_cast<float*>(call_.output)[at + d] = x;
      }
      call_.lse[query_at(task, begin, end, from + n, call_.heads, 1)] = (room.most[n] + std::log2(room.total[n])) * LN2;
    }
  }

  const Call& call_;
  std::vector<long> begins_, offsets_;
  std::vector<int> rows_;
  std::vector<Task> tasks_;
  std::unique_ptr<Buffer<Unit>> keys_, values_;
};

}  // namespace

// 0, or 1 where memory is short.
extern "C" int ragctx_attend(const Call* call) {
  try {
    Attention(*call).run();
    return 0;
  } catch (const std::bad_alloc&) {
    return 1;
  }
}
