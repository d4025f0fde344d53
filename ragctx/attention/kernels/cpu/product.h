// Both products are one and the same: C[m][lanes] = C[m][lanes] * shrink + sum over k of A[k][m] * B[k][lanes].
#pragma once
#include "units.h"

constexpr int TILE = 64;  // keys, and queries of one row of the index
#if !defined(LANES)
#define LANES 32  // queries that are computed at once: with all that belongs to them they stay in the first cache
#endif

// What will be wanted soon, brought near piece by piece between pieces of work.
struct Ahead {
  const char* at = nullptr;
  size_t left = 0;

  inline void fetch(size_t bytes) {
    const char* const end = at + (left < bytes ? left : bytes);
    left -= size_t(end - at);
    for (; at < end; at += 64) __builtin_prefetch(at, 0, 3);
  }
};

template <int M, int NV, bool ADD>
inline void strip(const Unit* a, long row, const Unit* b, float* c, int depth, const Floats* shrink) {
  Floats sum[M * NV];  // in registers, if every loop over it is unrolled
#pragma GCC unroll 32
  for (int n = 0; n < M * NV; n++) {
    if constexpr (ADD)
      sum[n] = load(c + n / NV * LANES + n % NV * WIDE) * shrink[n % NV];
    else
      sum[n] = all(0.0f);
  }
  for (int k = 0; k < depth; k++, a += row, b += LANES) {
#pragma GCC unroll 32
    for (int n = 0; n < M * NV; n++) sum[n] = times(sum[n], a[n / NV], b + n % NV * WIDE);
  }
#pragma GCC unroll 32
  for (int n = 0; n < M * NV; n++) store(c + n / NV * LANES + n % NV * WIDE, sum[n]);
}

// `height` rows of `NV` vectors of lanes; `height` is a multiple of 16.
template <int NV, bool ADD>
inline void product(const Unit* a, int height, const Unit* b, float* c, int depth, const Floats* shrink, Ahead ahead) {
  constexpr int BY = NV < SPREAD ? NV : SPREAD, HIGH = TALL * SPREAD / BY;
  const size_t piece = (ahead.left / (size_t(height / HIGH) * (NV / BY)) + 63) / 64 * 64;
  for (int v = 0; v < NV; v += BY)
    for (int m = 0; m < height; m += HIGH) {
      ahead.fetch(piece);
      strip<HIGH, BY, ADD>(a + m, height, b + v * WIDE, c + m * LANES + v * WIDE, depth, shrink + v);
    }
}
