// Which instruction sets the running machine has; in the library that needs none of them. Where gcc and clang tell of
// an instruction set, they have asked the operating system too.
extern "C" __attribute__((visibility("default"))) int ragctx_features() {
  int found = 0;
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  if (avx2) found |= 1;
  if (avx512) found |= 2;
#if defined(__clang__) ? __clang_major__ >= 12 : __GNUC__ >= 11
  if (avx512 && __builtin_cpu_supports("avx512bf16")) found |= 4;
#endif
#endif
  return found;
}
