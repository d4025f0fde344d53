// Attention over an index of key tiles, for one instruction set; compiled once for each, see `setup.py`.
//
// KV head by KV head: its keys and values are packed once, then its rows are computed, the longest first. All queries
// of a row look at a few tiles of keys before any of them looks at the next few: the heads of a group share what is near.
#include "lanes.h"
#include "pack.h"

#include <atomic>
#include <memory>
#include <system_error>
#include <thread>
#include <vector>

namespace {

constexpr float LOG2E = 1.4426950408889634f;
constexpr int SLOTS = 16;          // sets of lanes that look at the same tiles in turn,
constexpr long NEAR = 256 << 10;   // and bytes of tiles until the next set's turn: both fit the second cache
constexpr long AT_ONCE = 64 << 20;  // bytes of packed keys and values at a time, unless one KV head is more
constexpr int PIECE = 16;          // tiles that are packed in one go

struct Room {  // what one thread works in
  Room(int width, int sets, long tiles) : scores(TILE * LANES), keys(tiles * TILE * width), values(tiles * TILE * width) {
    for (int n = 0; n < sets; n++) slots.push_back(std::make_unique<Slot>(width));
  }
  std::vector<std::unique_ptr<Slot>> slots;
  Buffer<float> scores;
  Buffer<Unit> keys, values;  // of what one row alone looks at
};

struct Head {  // a KV head of a request
  int request, head, row;  // the first of its rows
  bool alone;              // it has one row: its tiles are packed on the way, not before
  long at;                 // where they are packed, in units
};

struct Piece {
  int head;
  std::vector<int> tiles;
};

template <class E>
class Attention {
 public:
  explicit Attention(const Call& call)
      : call_(call), held_(call), turned_(call), size_(long(call.width) / DEEP * TILE),
        near_(int(std::max(1L, NEAR / (2 * size_ * long(sizeof(Unit)))))) {
    long token = 0;
    int row = 0;
    for (int r = 0; r < call.requests; r++, token += call.queries[r - 1]) {
      tokens_.push_back(token);
      for (int h = 0; h < call.kv_heads; h++, row += tiles(r)) heads_.push_back({r, h, row, tiles(r) == 1, 0});
    }
    for (int n = 0; n < std::max(1, std::min(call.threads, row)); n++)
      rooms_.push_back(std::make_unique<Room>(call.width, sets(), near_));
  }

  void run() {
    const std::vector<size_t> borders = waves();
    keys_ = std::make_unique<Buffer<Unit>>(most_);
    values_ = std::make_unique<Buffer<Unit>>(most_);
    for (size_t n = 0; n + 1 < borders.size(); n++) wave(int(borders[n]), int(borders[n + 1]));
  }

 private:
  int first(int r) const { return call_.keys[r] - call_.queries[r]; }
  int all_tiles(int r) const { return (call_.keys[r] + TILE - 1) / TILE; }
  int tiles(int r) const { return all_tiles(r) - first(r) / TILE; }
  int group() const { return call_.heads / call_.kv_heads; }
  int sets() const {
    int most = 1;
    for (int r = 0; r < call_.requests; r++) most = std::max(most, std::min(TILE, call_.queries[r]));
    return std::min(SLOTS, (most * group() + LANES - 1) / LANES);
  }

  // Which heads are packed together.
  std::vector<size_t> waves() {
    std::vector<size_t> borders{0};
    long size = 0;
    for (size_t n = 0; n < heads_.size(); n++) {
      const long own = heads_[n].alone ? 0 : all_tiles(heads_[n].request) * size_;
      if (size && (size + own) * 2 * long(sizeof(Unit)) > AT_ONCE) {
        borders.push_back(n);
        size = 0;
      }
      heads_[n].at = size;
      size += own;
      most_ = std::max(most_, size);
    }
    borders.push_back(heads_.size());
    return borders;
  }

  void wave(int from, int to) {
    std::vector<Piece> pieces;
    std::vector<Task> tasks;
    for (int n = from; n < to; n++) {
      const Head& own = heads_[n];
      if (!own.alone) wanted(n, pieces);
      for (int t = 0; t < tiles(own.request); t++) tasks.push_back(task(n, t));
    }
    // The longest first, so that no thread begins with a long one at the end.
    std::stable_sort(tasks.begin(), tasks.end(), [](const Task& a, const Task& b) { return a.cost > b.cost; });
    each(pieces.size(), [&](size_t n, Room&) {
      const Head& own = heads_[pieces[n].head];
      for (const int tile : pieces[n].tiles)
        held_.pack(own.request, own.head, tile, keys_->data + own.at + tile * size_, values_->data + own.at + tile * size_);
    });
    each(tasks.size(), [&](size_t n, Room& room) { attend(tasks[n], room); });
  }

  // Only the tiles that some row looks at: a sparse call must not pay for all keys.
  void wanted(int n, std::vector<Piece>& pieces) const {
    const Head& own = heads_[n];
    std::vector<char> seen(all_tiles(own.request));
    const int32_t* const starts = call_.starts + own.row;
    for (int at = starts[0]; at < starts[tiles(own.request)]; at++) seen[call_.blocks[at]] = 1;
    std::vector<int> some;
    for (int tile = 0; tile < int(seen.size()); tile++) {
      if (seen[tile]) some.push_back(tile);
      if (int(some.size()) < PIECE && tile + 1 < int(seen.size())) continue;
      if (!some.empty()) pieces.push_back({n, std::move(some)});
      some.clear();
    }
  }

  Task task(int n, int t) const {
    const Head& own = heads_[n];
    const int r = own.request, tile = first(r) / TILE + t, row = own.row + t;
    const int begin = std::max(tile * TILE, first(r)), end = std::min((tile + 1) * TILE, call_.keys[r]);
    const long cost = long(call_.starts[row + 1] - call_.starts[row]) * (end - begin);
    return {n, own.head, row, begin, end, tokens_[r] + begin - first(r), cost};
  }

  // Every number below `count` to whatever thread is free; a thread that cannot be had leaves its work to the others.
  template <class F>
  void each(size_t count, F work) {
    std::atomic<size_t> next{0};
    const auto go = [&](Room& room) {
      for (size_t n; (n = next++) < count;) work(n, room);
    };
    std::vector<std::thread> others;
    others.reserve(rooms_.size());
    for (size_t n = 1; n < std::min(rooms_.size(), count); n++) try {
        others.emplace_back(go, std::ref(*rooms_[n]));
      } catch (const std::system_error&) {
        break;
      }
    go(*rooms_[0]);
    for (auto& other : others) other.join();
  }

  void attend(const Task& task, Room& room) const {
    const int rows = task.queries() * group();
    for (int from = 0; from < rows; from += SLOTS * LANES) {
      const int sets = std::min(SLOTS, (rows - from + LANES - 1) / LANES);
      for (int s = 0; s < sets; s++)
        turned_.fill(task, from + s * LANES, std::min(LANES, rows - from - s * LANES), *room.slots[s]);
      look(task, sets, room);
      for (int s = 0; s < sets; s++) turned_.write(task, from + s * LANES, *room.slots[s]);
    }
  }

  void look(const Task& task, int sets, Room& room) const {
    const int32_t* const tiles = call_.blocks + call_.starts[task.row];
    const int count = call_.starts[task.row + 1] - call_.starts[task.row];
    const Head& own = heads_[task.of];
    for (int from = 0; from < count; from += near_) {
      const int some = std::min(near_, count - from);
      if (own.alone)
        for (int n = 0; n < some; n++)
          held_.pack(own.request, own.head, tiles[from + n], room.keys.data + n * size_, room.values.data + n * size_);
      const auto packed = [&](int n) -> Packed {
        if (own.alone) return {room.keys.data + n * size_, room.values.data + n * size_};
        return {keys_->data + own.at + tiles[from + n] * size_, values_->data + own.at + tiles[from + n] * size_};
      };
      for (int s = 0; s < sets; s++)
        for (int n = 0; n < some; n++) {
          const bool more = !own.alone && from + some < count;  // for the next turn
          const Packed next = n + 1 < some ? packed(n + 1) : s + 1 < sets ? packed(0) : more ? packed(some) : Packed{};
          const bool cut = from + n + 1 == count;  // the diagonal is the last of every row
          gathered(*room.slots[s], packed(n), next, tiles[from + n] * TILE, cut, room.scores.data);
        }
    }
  }

  void gathered(Slot& slot, Packed given, Packed next, int first, bool cut, float* scores) const {
    constexpr int MOST = LANES / WIDE;
    const float scale = call_.scale * LOG2E;
    const int vectors = (slot.count + WIDE - 1) / WIDE;
    if (vectors == 1)
      gather<1>(slot, given, next, call_.width, scale, first, cut, scores);
    else if (vectors == 2)
      gather<2>(slot, given, next, call_.width, scale, first, cut, scores);
    else
      gather<MOST>(slot, given, next, call_.width, scale, first, cut, scores);
  }

  const Call& call_;
  const Held<E> held_;
  const Turned<E> turned_;
  const long size_;  // units of a tile's keys, or values
  const int near_;   // tiles until the next set's turn
  std::vector<long> tokens_;
  std::vector<Head> heads_;
  std::vector<std::unique_ptr<Room>> rooms_;
  std::unique_ptr<Buffer<Unit>> keys_, values_;
  long most_ = 0;
};

}  // namespace

// 0; 1 where memory is short; 2 where this library does not compute in the numbers it is given.
extern "C" __attribute__((visibility("default"))) int ragctx_attend(const Call* call) {
  try {
    if (call->dtype == BF16) {
      Attention<uint16_t>(*call).run();
      return 0;
    }
#if defined(__AVX512BF16__)
    return 2;  // its products round to bfloat16
#else
    Attention<float>(*call).run();
    return 0;
#endif
  } catch (const std::bad_alloc&) {
    return 1;
  }
}
