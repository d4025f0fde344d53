// What products multiply: a float, or on machines that multiply pairs of bfloat16, a pair. The first product pairs
// neighbouring dimensions, the second neighbouring keys.
#pragma once
#include "vectors.h"

#if defined(__AVX512BF16__)
typedef uint32_t Unit;
constexpr int DEEP = 2;
static inline Floats times(Floats sum, Unit a, const Unit* b) {
  const __m512i pair = _mm512_set1_epi32(int(a)), lanes = _mm512_loadu_si512(b);
  return (Floats)_mm512_dpbf16_ps((__m512)sum, (__m512bh)pair, (__m512bh)lanes);
}
static inline Unit unit(const uint16_t* even, const uint16_t* odd) { return *even | uint32_t(*odd) << 16; }
#else
typedef float Unit;
constexpr int DEEP = 1;
static inline Floats times(Floats sum, Unit a, const Unit* b) { return sum + a * load(b); }
static inline Unit unit(const float* x, const float*) { return *x; }
static inline Unit unit(const uint16_t* x, const uint16_t*) { return of_bf16(*x); }
#endif
