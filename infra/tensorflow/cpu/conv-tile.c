/* Tiles of every size, each a loop of its own whose sums stay in registers. */
#include "conv-tile.h"

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif

INLINE __m512 multiply_add(__m512 sum, __m512 a, __m512 b, int is_bf16) {
#if defined(__AVX512BF16__)
  if (is_bf16) return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b);
#else
  (void)is_bf16;
#endif
  return _mm512_fmadd_ps(a, b, sum);
}

INLINE void store(void *out, int64_t at, __mmask16 mask, __m512 sum, int is_bf16) {
#if defined(__AVX512BF16__)
  if (is_bf16) {
    _mm256_mask_storeu_epi16((bf16 *)out + at, mask, (__m256i)_mm512_cvtneps_pbh(sum));
    return;
  }
#else
  (void)is_bf16;
#endif
  _mm512_mask_storeu_ps((float *)out + at, mask, sum);
}

/* The same past the caches, where 64 divides the addresses of panels. */
INLINE void stream(void *out, int64_t at, __m512 sum, int is_bf16) {
#if defined(__AVX512BF16__)
  if (is_bf16) {
    _mm256_stream_si256((__m256i *)((bf16 *)out + at), (__m256i)_mm512_cvtneps_pbh(sum));
    return;
  }
#else
  (void)is_bf16;
#endif
  _mm512_stream_ps((float *)out + at, sum);
}

INLINE __m512 load(const void *values, int64_t at, __mmask16 mask, int is_bf16) {
  if (!is_bf16) return _mm512_maskz_loadu_ps(mask, (const float *)values + at);
  __m256i halves = _mm256_maskz_loadu_epi16(mask, (const bf16 *)values + at);
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
}

/* Elements from the tile's first output to those of its pixel `p`. */
INLINE int64_t place_of(const conv_tile *tile, int p, int width) {
  return p < width ? p * tile->out_pixel : tile->out_row + (p - width) * tile->out_pixel;
}

INLINE __mmask16 mask_of(const conv_tile *tile, int v, int vectors) {
  return v < vectors - 1 ? (__mmask16)0xffff : tile->mask;
}

INLINE void finish_sums(
  const conv_tile *tile, __m512 sum[28][2], int rows, int width, int vectors, int is_bf16
) {
  const channel_finish *finish = tile->finish;
  const __m512 low = _mm512_set1_ps(finish->low), high = _mm512_set1_ps(finish->high);
  UNROLL for (int v = 0; v < vectors; v++) {
    const __m512 scale = _mm512_loadu_ps(finish->scale + 16 * v);
    const __m512 shift = _mm512_loadu_ps(finish->shift + 16 * v);
    UNROLL for (int p = 0; p < rows * width; p++) sum[p][v] = _mm512_fmadd_ps(sum[p][v], scale, shift);
    if (finish->residual != NULL) {
      UNROLL for (int p = 0; p < rows * width; p++) {
        int64_t at = place_of(tile, p, width) + 16 * v;
        sum[p][v] = _mm512_add_ps(sum[p][v], load(finish->residual, at, mask_of(tile, v, vectors), is_bf16));
      }
    }
    UNROLL for (int p = 0; p < rows * width; p++)
      sum[p][v] = _mm512_min_ps(high, _mm512_max_ps(low, sum[p][v]));
  }
}

/* Lines that lie far from one another are not fetched by the hardware before they are wanted. */
INLINE void ask_for(const void *values, const conv_tile *tile, int width, int vectors, int is_bf16) {
  for (int p = 0; p < width; p++) {
    const char *pixel = (const char *)values + p * tile->out_pixel * (is_bf16 ? 2 : 4);
    __builtin_prefetch(pixel, 1);
    if (vectors > 1 && !is_bf16) __builtin_prefetch(pixel + CONV_LINE, 1);
  }
}

/* Elements between output pixels. */
#define FAR 768

/* Bytes of the filter: the hardware looks ahead to the end of a page, which small tiles reach too soon. */
#define FILTER_AHEAD 4096

INLINE void compute(const conv_tile *tile, int rows, int width, int vectors, int is_bf16) {
  __m512 sum[28][2];
  const char *ahead = tile->ahead;
  const int64_t ahead_lines = tile->ahead_lines;
  if (tile->finish != NULL && tile->finish->residual != NULL && tile->finish->residual != tile->out)
    ask_for(tile->finish->residual, tile, width, vectors, is_bf16);
  if (vectors > 1 && tile->out_pixel >= FAR && !tile->streamed)
    ask_for(tile->out, tile, width, vectors, is_bf16);
  UNROLL for (int p = 0; p < rows * width; p++) sum[p][0] = sum[p][1] = _mm512_setzero_ps();
  for (int64_t e = 0; e < tile->entry_count; e++) {
    const char *first = tile->source + tile->entries[e].offset, *second = first + tile->source_row;
    const char *end = first + 4 * tile->entries[e].words;
    const char *filter = tile->filter + tile->entries[e].filter * vectors;
    for (int64_t line = 0; line < ahead_lines; line++, ahead += CONV_LINE) __builtin_prefetch(ahead, 0, 2);
    for (; first < end; first += 4, second += 4, filter += vectors * CONV_LINE) {
      __m512 weights[2];
      weights[0] = _mm512_load_ps(filter);
      if (vectors > 1) weights[1] = _mm512_load_ps(filter + CONV_LINE);
      __builtin_prefetch(filter + FILTER_AHEAD, 0, 3);
      if (vectors > 1) __builtin_prefetch(filter + FILTER_AHEAD + CONV_LINE, 0, 3);
      UNROLL for (int p = 0; p < rows * width; p++) {
        const char *pixel = p < width ? first + p * CONV_LINE : second + (p - width) * CONV_LINE;
        __m512 value = _mm512_set1_ps(*(const float *)pixel);
        sum[p][0] = multiply_add(sum[p][0], weights[0], value, is_bf16);
        if (vectors > 1) sum[p][1] = multiply_add(sum[p][1], weights[1], value, is_bf16);
      }
    }
  }
  if (tile->finish != NULL) finish_sums(tile, sum, rows, width, vectors, is_bf16);
  if (vectors > 1 && tile->streamed) {
    UNROLL for (int p = 0; p < rows * width; p++) {
      UNROLL for (int v = 0; v < vectors; v++)
        stream(tile->out, place_of(tile, p, width) + 16 * v, sum[p][v], is_bf16);
    }
    return;
  }
  UNROLL for (int p = 0; p < rows * width; p++) {
    UNROLL for (int v = 0; v < vectors; v++)
      store(tile->out, place_of(tile, p, width) + 16 * v, mask_of(tile, v, vectors), sum[p][v], is_bf16);
  }
}

typedef void (*tile_kernel)(const conv_tile *tile);

#define TILE(type, is_bf16, vectors, rows, width) \
  static void type##_##vectors##x##rows##x##width(const conv_tile *tile) { \
    compute(tile, rows, width, vectors, is_bf16); \
  }
#define SEVEN(of, ...) \
  of(__VA_ARGS__, 1) of(__VA_ARGS__, 2) of(__VA_ARGS__, 3) of(__VA_ARGS__, 4) of(__VA_ARGS__, 5) \
  of(__VA_ARGS__, 6) of(__VA_ARGS__, 7)
#define FOURTEEN(of, ...) \
  SEVEN(of, __VA_ARGS__) of(__VA_ARGS__, 8) of(__VA_ARGS__, 9) of(__VA_ARGS__, 10) of(__VA_ARGS__, 11) \
  of(__VA_ARGS__, 12) of(__VA_ARGS__, 13) of(__VA_ARGS__, 14)
#define TILES(type, is_bf16) \
  FOURTEEN(TILE, type, is_bf16, 1, 1) \
  FOURTEEN(TILE, type, is_bf16, 1, 2) \
  FOURTEEN(TILE, type, is_bf16, 2, 1) \
  SEVEN(TILE, type, is_bf16, 2, 2)
TILES(f32, 0)
TILES(bf16, 1)

/* By type, vectors, rows and width. */
#define NAME(type, vectors, rows, width) type##_##vectors##x##rows##x##width,
#define TABLE(type) \
  {{{FOURTEEN(NAME, type, 1, 1)}, {FOURTEEN(NAME, type, 1, 2)}}, \
   {{FOURTEEN(NAME, type, 2, 1)}, {SEVEN(NAME, type, 2, 2)}}}
static const tile_kernel kernels[2][2][2][CONV_TILE_WIDTH] = {TABLE(f32), TABLE(bf16)};

void conv_compute_tile(const conv_tile *tile, int64_t rows, int64_t width, int64_t vectors, int is_bf16) {
  kernels[is_bf16][vectors - 1][rows - 1][width - 1](tile);
}

#endif
