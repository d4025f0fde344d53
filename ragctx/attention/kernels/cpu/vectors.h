// Vectors of floats by the compiler's own extension: one code for AVX-512, AVX2 and whatever there is without them.
#pragma once
#include <cstdint>
#include <cstring>
#if defined(__AVX512F__)
#include <immintrin.h>
constexpr int WIDE = 16;
constexpr int SPREAD = 4;  // vectors of lanes that a product keeps in registers
#elif defined(__AVX2__)
#include <immintrin.h>
constexpr int WIDE = 8;
constexpr int SPREAD = 2;
#else
constexpr int WIDE = 4;
constexpr int SPREAD = 2;
#endif

typedef float Floats __attribute__((vector_size(WIDE * 4), aligned(4)));
typedef int32_t Ints __attribute__((vector_size(WIDE * 4), aligned(4)));

static inline Floats all(float x) { return x - Floats{}; }
static inline Floats load(const float* from) { return *reinterpret_cast<const Floats*>(from); }
static inline void store(float* to, Floats x) { *reinterpret_cast<Floats*>(to) = x; }
static inline Floats larger(Floats a, Floats b) { return a > b ? a : b; }

// 2 to the power of x, for x <= 0; below -126 it is 0. A polynomial of degree 6 on [-0.5, 0.5]: relative error 2e-7.
static inline Floats exp2(Floats x) {
  const Floats low = all(-126.0f);
  const Floats held = larger(x, low);
  const Floats magic = all(12582912.0f);  // adding it rounds to a whole number
  const Floats whole = (held + magic) - magic;
  const Floats f = held - whole;
  Floats p = all(1.535336188319500e-4f);
  p = p * f + 1.339887440266574e-3f;
  p = p * f + 9.618437357674640e-3f;
  p = p * f + 5.550332471162809e-2f;
  p = p * f + 2.402264791363012e-1f;
  p = p * f + 6.931472028550421e-1f;
  p = p * f + 1.0f;
  const Ints power = (__builtin_convertvector(whole, Ints) + 127) << 23;
  Floats scale;
  std::memcpy(&scale, &power, sizeof scale);
  return x < low ? Floats{} : p * scale;
}

static inline float of_bf16(uint16_t bits) {
  const uint32_t wide = uint32_t(bits) << 16;
  float x;
  std::memcpy(&x, &wide, 4);
  return x;
}

static inline uint16_t to_bf16(float x) {  // to nearest, ties to even
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return uint16_t(bits >> 16) | 0x40;
  return uint16_t((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}
