// What one call is given; `ragctx/attention/kernels/cpu/call.py` mirrors it field by field.
#pragma once
#include <cstdint>

enum { F32 = 0, BF16 = 1 };

struct Strides {  // of the rows of one request, in elements
  int64_t key_token, key_head, value_token, value_head;
};

struct Call {
  int32_t dtype, heads, kv_heads, width, threads, requests;
  float scale;
  int32_t page, most_pages;        // tokens a page; pages in a row of `pages`
  const int32_t *queries, *keys;   // of each request
  const int32_t *starts, *blocks;  // the index
  const void* query;               // [tokens][heads][width], by strides in elements
  int64_t query_token, query_head;
  void* output;
  int64_t output_token, output_head;
  float* lse;                      // [tokens][heads]
  const void *const *key_of, *const *value_of;  // of each request, where they are rows
  const Strides* strides;
  const void* cache;               // where they are pages
  int64_t block_stride, head_stride;
  const int32_t* pages;            // [requests][most_pages]; null where keys and values are rows
};
