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

/* Elements between output pixels. */
#define FAR 768

INLINE void compute(const conv_tile *tile, int rows, int width, int vectors, int is_bf16) {
  __m512 sum[28][2];
  const char *ahead = tile->ahead;
  const int64_t ahead_lines = tile->ahead_lines, out_row = tile->out_row, out_pixel = tile->out_pixel;
  /* Lines that lie far from one another are not fetched by the hardware before they are written. */
  if (vectors > 1 && out_pixel >= FAR) {
    for (int p = 0; p < width; p++) {
      const char *pixel = (const char *)tile->out + p * out_pixel * (is_bf16 ? 2 : 4);
      __builtin_prefetch(pixel, 1);
      if (!is_bf16) __builtin_prefetch(pixel + CONV_LINE, 1);
    }
  }
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
      UNROLL for (int p = 0; p < rows * width; p++) {
        const char *pixel = p < width ? first + p * CONV_LINE : second + (p - width) * CONV_LINE;
        __m512 value = _mm512_set1_ps(*(const float *)pixel);
        sum[p][0] = multiply_add(sum[p][0], weights[0], value, is_bf16);
        if (vectors > 1) sum[p][1] = multiply_add(sum[p][1], weights[1], value, is_bf16);
      }
    }
  }
  const __mmask16 mask = tile->mask;
  void *out = tile->out;
  UNROLL for (int p = 0; p < rows * width; p++) {
    int64_t at = p < width ? p * out_pixel : out_row + (p - width) * out_pixel;
    store(out, at, vectors > 1 ? (__mmask16)0xffff : mask, sum[p][0], is_bf16);
    if (vectors > 1) store(out, at + 16, mask, sum[p][1], is_bf16);
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
