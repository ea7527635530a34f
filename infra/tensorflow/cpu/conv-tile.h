/* The innermost loop: a tile of output pixels by one or two vectors of output channels, sums in registers. */
#ifndef DISTILLERY_CONV_TILE_H
#define DISTILLERY_CONV_TILE_H

#include <immintrin.h>
#include "conv-plan.h"

/* What a tile is computed from: its first source pixel, its panel of the filter, and where it goes. */
typedef struct {
  const conv_entry *entries;
  int64_t entry_count;
  const char *source, *filter;
  /* Bytes from the first row's source to the second's, and output elements between rows and pixels. */
  int64_t source_row, out_row, out_pixel;
  void *out;
  /* Output channels of the last vector. */
  __mmask16 mask;
} conv_tile;

#define CONV_INLINE static inline __attribute__((always_inline))
#if defined(__clang__)
#define CONV_UNROLL _Pragma("clang loop unroll(full)")
#else
#define CONV_UNROLL _Pragma("GCC unroll 32")
#endif

CONV_INLINE __m512 conv_multiply_add(__m512 sum, __m512 a, __m512 b, int is_bf16) {
#if defined(__AVX512BF16__)
  if (is_bf16) return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b);
#else
  (void)is_bf16;
#endif
  return _mm512_fmadd_ps(a, b, sum);
}

CONV_INLINE void conv_store(const conv_tile *tile, int64_t at, __mmask16 mask, __m512 sum, int is_bf16) {
#if defined(__AVX512BF16__)
  if (is_bf16) {
    _mm256_mask_storeu_epi16((bf16 *)tile->out + at, mask, (__m256i)_mm512_cvtneps_pbh(sum));
    return;
  }
#else
  (void)is_bf16;
#endif
  _mm512_mask_storeu_ps((float *)tile->out + at, mask, sum);
}

/* One or two rows of `width` pixels by `vectors` of 16 channels; all four are constants where inlined. */
CONV_INLINE void conv_tile_sums(const conv_tile *tile, int rows, int width, int vectors, int is_bf16) {
  __m512 sum[28][2];
  const char *filter = tile->filter;
  CONV_UNROLL for (int p = 0; p < rows * width; p++) sum[p][0] = sum[p][1] = _mm512_setzero_ps();
  for (int64_t e = 0; e < tile->entry_count; e++) {
    const char *first = tile->source + tile->entries[e].offset, *second = first + tile->source_row;
    const char *end = first + 4 * tile->entries[e].words;
    for (; first < end; first += 4, second += 4, filter += vectors * CONV_LINE) {
      __m512 weights[2];
      weights[0] = _mm512_load_ps(filter);
      if (vectors > 1) weights[1] = _mm512_load_ps(filter + CONV_LINE);
      CONV_UNROLL for (int p = 0; p < rows * width; p++) {
        const char *pixel = p < width ? first + p * CONV_LINE : second + (p - width) * CONV_LINE;
        __m512 value = _mm512_set1_ps(*(const float *)pixel);
        sum[p][0] = conv_multiply_add(sum[p][0], weights[0], value, is_bf16);
        if (vectors > 1) sum[p][1] = conv_multiply_add(sum[p][1], weights[1], value, is_bf16);
      }
    }
  }
  CONV_UNROLL for (int p = 0; p < rows * width; p++) {
    int64_t at = p < width ? p * tile->out_pixel : tile->out_row + (p - width) * tile->out_pixel;
    conv_store(tile, at, vectors > 1 ? (__mmask16)0xffff : tile->mask, sum[p][0], is_bf16);
    if (vectors > 1) conv_store(tile, at + 16, tile->mask, sum[p][1], is_bf16);
  }
}

#endif
