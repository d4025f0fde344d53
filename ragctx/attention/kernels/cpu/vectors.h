// Vectors of floats by the compiler's own extension: one code for AVX-512, AVX2 and whatever there is without them.
#pragma once
#include <cstdint>
#include <cstring>
#if defined(__AVX512F__)
#include <immintrin.h>
constexpr int WIDE = 16;
constexpr int SPREAD = 2;  // vectors of lanes that a product keeps in registers,
constexpr int TALL = 8;    // and how many rows of them
#elif defined(__AVX2__)
#include <immintrin.h>
constexpr int WIDE = 8;
constexpr int SPREAD = 2;
constexpr int TALL = 4;
#else
constexpr int WIDE = 4;
constexpr int SPREAD = 2;
constexpr int TALL = 4;
#endif

typedef float Floats __attribute__((vector_size(WIDE * 4), aligned(4), may_alias));
typedef int32_t Ints __attribute__((vector_size(WIDE * 4), aligned(4), may_alias));
typedef uint32_t Words __attribute__((vector_size(WIDE * 4), aligned(4), may_alias));

static inline Floats all(float x) { return x - Floats{}; }
static inline Floats load(const float* from) { return *reinterpret_cast<const Floats*>(from); }
static inline void store(float* to, Floats x) { *reinterpret_cast<Floats*>(to) = x; }
static inline Floats larger(Floats a, Floats b) { return a > b ? a : b; }

// 2 to the power of f, for f in [-0.5, 0.5]; exactly 1 at 0, or what is never rescaled would shrink tile by tile.
static inline Floats power(Floats f) {
#if defined(__AVX512BF16__)  // what is rounded to eight bits needs no more: relative error 3e-6
  Floats p = all(9.582849660e-3f);
  p = p * f + 5.590642975e-2f;
  p = p * f + 2.402409871e-1f;
  p = p * f + 6.931241925e-1f;
#else  // relative error 2e-7
  Floats p = all(1.326472272e-3f);
  p = p * f + 9.671512962e-3f;
  p = p * f + 5.550733758e-2f;
  p = p * f + 2.402224208e-1f;
  p = p * f + 6.931469776e-1f;
#endif
  return p * f + 1.0f;
}

// 2 to the power of x, for x <= 0; far below it is 0, and a NaN stays one.
static inline Floats exp2(Floats x) {
#if defined(__AVX512F__)
  const __m512 whole = _mm512_roundscale_ps((__m512)x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  return (Floats)_mm512_scalef_ps((__m512)power(x - (Floats)whole), whole);
#else
  const Floats low = all(-126.0f);
  const Floats held = larger(low, x);  // in this order: of a NaN and a number it is the second that is taken
  const Floats magic = all(12582912.0f);  // adding it rounds to a whole number
  const Floats whole = (held + magic) - magic;
  const Ints exponent = (__builtin_convertvector(whole, Ints) + 127) << 23;
  return x < low ? Floats{} : power(held - whole) * (Floats)exponent;
#endif
}

static inline float of_bf16(uint16_t bits) {
  const uint32_t wide = uint32_t(bits) << 16;
  float x;
  std::memcpy(&x, &wide, 4);
  return x;
}

// To bfloat16, to nearest, ties to even; a NaN stays one. Each lane holds two: of `even` in its lower half.
static inline Words pairs(Floats even, Floats odd) {
#if defined(__AVX512BF16__)
  const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                                         21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  return (Words)_mm512_permutexvar_epi16(order, (__m512i)_mm512_cvtne2ps_pbh((__m512)odd, (__m512)even));
#else
  const auto rounded = [](Floats x) {
    const Words bits = (Words)x, number = bits + 0x7fff + ((bits >> 16) & 1);
    return (bits & 0x7fffffffu) > 0x7f800000u ? bits | 0x400000u : number;
  };
  return rounded(even) >> 16 | (rounded(odd) & 0xffff0000u);
#endif
}
