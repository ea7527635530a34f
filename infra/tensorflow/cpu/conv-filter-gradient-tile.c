/*
 * The innermost loop of the filter gradient: a tile of sums stays in registers while pixels go by. 16 to 27
 * sums hide the latency of the multiply-add, and a tile of 8 x 2 needs 10 loads for 16 of them, below the
 * two loads a cycle that the caches give.
 */
#include "conv-filter-gradient-parts.h"

#if defined(__AVX512F__)
#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 32")

INLINE __m512 add_products(__m512 sum, __m512 a, __m512 b, int is_bf16) {
#if defined(__AVX512BF16__)
  if (is_bf16) return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b);
#endif
  (void)is_bf16;
  return _mm512_fmadd_ps(a, b, sum);
}

INLINE void store_sums(const gradient_tile *t, int rows, int vectors, const __m512 *sums) {
  UNROLL for (int r = 0; r < rows; r++) {
    if (r >= t->rows) return;
    UNROLL for (int v = 0; v < vectors; v++) {
      float *out = t->out + r * t->out_pitch + v * LANES;
      const __mmask16 lanes = v == vectors - 1 ? t->last_lanes : 0xffff;
      const __m512 before = t->accumulate ? _mm512_maskz_loadu_ps(lanes, out) : _mm512_setzero_ps();
      _mm512_mask_storeu_ps(out, lanes, _mm512_add_ps(before, sums[r * vectors + v]));
    }
  }
}

INLINE void fetch_block(const char *block) {
  for (int byte = 0; byte < AHEAD_BYTES; byte += 64) _mm_prefetch(block + byte, _MM_HINT_T0);
}

INLINE void add_tile(const gradient_tile *t, int rows, int vectors, int is_bf16) {
  __m512 sums[27];
  UNROLL for (int i = 0; i < rows * vectors; i++) sums[i] = _mm512_setzero_ps();
  const char *const *ahead = t->ahead;
  const char *const *ahead_end = ahead + t->ahead_count;
  for (int64_t s = 0; s < t->run_count; s++) {
    for (int64_t i = 0; i < t->ahead_per_run && ahead < ahead_end; i++, ahead++) fetch_block(*ahead);
    const float *x = t->x + t->runs[s].x * t->x_pitch;
    const float *dy = t->dy + t->runs[s].dy * t->dy_pitch;
    for (int64_t step = 0; step < t->steps; step++) {
      __m512 columns[3];
      UNROLL for (int v = 0; v < vectors; v++) columns[v] = _mm512_loadu_ps(dy + v * LANES);
      UNROLL for (int r = 0; r < rows; r++) {
        const __m512 row = _mm512_set1_ps(x[r]);
        UNROLL for (int v = 0; v < vectors; v++) {
          sums[r * vectors + v] = add_products(sums[r * vectors + v], row, columns[v], is_bf16);
        }
      }
      x += t->x_step;
      dy += t->dy_pitch;
    }
  }
  store_sums(t, rows, vectors, sums);
}

/* One function for each size of tile, so that all loops over rows and vectors unroll. */
#define TILE(rows, vectors)                                                                          \
  static void add_f32_##rows##x##vectors(const gradient_tile *t) { add_tile(t, rows, vectors, 0); }  \
  static void add_bf16_##rows##x##vectors(const gradient_tile *t) { add_tile(t, rows, vectors, 1); }
#define TILES(rows) TILE(rows, 1) TILE(rows, 2) TILE(rows, 3)
TILES(7)
TILES(8)
TILES(9)
TILE(16, 1)

typedef void (*tile_function)(const gradient_tile *);
#define WIDTHS(type, rows) {add_##type##_##rows##x1, add_##type##_##rows##x2, add_##type##_##rows##x3}
static const tile_function f32_tiles[3][3] = {WIDTHS(f32, 7), WIDTHS(f32, 8), WIDTHS(f32, 9)};
static const tile_function bf16_tiles[3][3] = {WIDTHS(bf16, 7), WIDTHS(bf16, 8), WIDTHS(bf16, 9)};

void filter_gradient_add_tile(const gradient_tile *tile, int64_t tile_rows, int64_t vectors, int is_bf16) {
  if (tile_rows == 16) {
    (is_bf16 ? add_bf16_16x1 : add_f32_16x1)(tile);
  } else {
    (is_bf16 ? bf16_tiles : f32_tiles)[tile_rows - 7][vectors - 1](tile);
  }
}

#else

void filter_gradient_add_tile(const gradient_tile *tile, int64_t tile_rows, int64_t vectors, int is_bf16) {
  (void)tile, (void)tile_rows, (void)vectors, (void)is_bf16;
}

#endif
