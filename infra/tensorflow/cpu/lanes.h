/*
 * Sixteen float32 at a time, as AVX-512 has them; elsewhere the compiler makes what the machine has of them.
 *
 * Tensors are read and written as float32 or bfloat16. Functions that take the element type are inlined into
 * callers that know it, so nothing is decided inside a loop.
 */
#ifndef DISTILLERY_LANES_H
#define DISTILLERY_LANES_H

#include "kernels.h"
#include <string.h>

#if defined(__AVX512F__) && defined(__AVX512BW__)
#include <immintrin.h>
#endif

#define LANES 16

typedef enum { FLOAT32 = 0, BFLOAT16 = 1 } element;

#define INLINE static inline __attribute__((always_inline))

/* Tensors of that size are not found in a cache again: half of what its last level tends to hold for us. */
#define STREAMED_BYTES ((int64_t)16 << 20)

INLINE int64_t element_bytes(element type) { return type == FLOAT32 ? 4 : 2; }

/* One number, for the few at the end of a tensor that fill no lanes. */
INLINE float load_one(const void *values, int64_t index, element type) {
  if (type == FLOAT32) return ((const float *)values)[index];
  uint32_t bits = (uint32_t)((const bf16 *)values)[index] << 16;
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/* Rounds to nearest even; what is no number stays none. */
INLINE bf16 to_bf16(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  if ((bits & 0x7fffffff) > 0x7f800000) return (bf16)((bits >> 16) | 0x40);
  return (bf16)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

INLINE void store_one(void *values, int64_t index, float value, element type) {
  if (type == FLOAT32) ((float *)values)[index] = value;
  else ((bf16 *)values)[index] = to_bf16(value);
}

#if defined(__AVX512F__) && defined(__AVX512BW__)

typedef __m512 lanes;
typedef __mmask16 lane_mask;

INLINE lanes lanes_of(float value) { return _mm512_set1_ps(value); }
INLINE lanes lanes_add(lanes a, lanes b) { return _mm512_add_ps(a, b); }
INLINE lanes lanes_sub(lanes a, lanes b) { return _mm512_sub_ps(a, b); }
INLINE lanes lanes_mul(lanes a, lanes b) { return _mm512_mul_ps(a, b); }
/* a * b + c, rounded once. */
INLINE lanes lanes_fma(lanes a, lanes b, lanes c) { return _mm512_fmadd_ps(a, b, c); }

/* Into [low, high]; what is no number stays none. */
INLINE lanes lanes_clamp(lanes x, lanes low, lanes high) {
  return _mm512_min_ps(high, _mm512_max_ps(low, x));
}

INLINE lane_mask lanes_between(lanes x, lanes low, lanes high) {
  lane_mask above = _mm512_cmp_ps_mask(x, low, _CMP_GT_OQ);
  return _mm512_mask_cmp_ps_mask(above, x, high, _CMP_LT_OQ);
}

INLINE lanes lanes_keep(lane_mask mask, lanes x) { return _mm512_maskz_mov_ps(mask, x); }

INLINE lanes lanes_load(const void *values, int64_t index, element type) {
  if (type == FLOAT32) return _mm512_loadu_ps((const float *)values + index);
  __m256i halves = _mm256_loadu_si256((const __m256i *)((const bf16 *)values + index));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
}

INLINE __m256i lanes_to_bf16(lanes x) {
#if defined(__AVX512BF16__)
  __m256bh halves = _mm512_cvtneps_pbh(x);
  __m256i bits;
  memcpy(&bits, &halves, sizeof bits);
  return bits;
#else
  __m512i bits = _mm512_castps_si512(x);
  __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  __m512i rounded = _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff)), odd);
  __m512i quiet = _mm512_or_si512(bits, _mm512_set1_epi32(0x400000));
  __mmask16 none = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
  return _mm512_cvtepi32_epi16(_mm512_srli_epi32(_mm512_mask_mov_epi32(rounded, none, quiet), 16));
#endif
}

INLINE void lanes_store(void *values, int64_t index, lanes x, element type) {
  if (type == FLOAT32) _mm512_storeu_ps((float *)values + index, x);
  else _mm256_storeu_si256((__m256i *)((bf16 *)values + index), lanes_to_bf16(x));
}

/* Past the caches; `index` is a multiple of 16 and `values` aligned to 64 bytes. */
INLINE void lanes_stream(void *values, int64_t index, lanes x, element type) {
  if (type == FLOAT32) _mm512_stream_ps((float *)values + index, x);
  else _mm256_stream_si256((__m256i *)((bf16 *)values + index), lanes_to_bf16(x));
}

/* What was streamed is there for other threads. */
INLINE void streamed(void) { _mm_sfence(); }

#else

typedef struct {
  float at[LANES];
} lanes;
typedef struct {
  int at[LANES];
} lane_mask;

#define EACH_LANE for (int i = 0; i < LANES; i++)

INLINE lanes lanes_of(float value) {
  lanes x;
  EACH_LANE x.at[i] = value;
  return x;
}

INLINE lanes lanes_add(lanes a, lanes b) {
  EACH_LANE a.at[i] += b.at[i];
  return a;
}

INLINE lanes lanes_sub(lanes a, lanes b) {
  EACH_LANE a.at[i] -= b.at[i];
  return a;
}

INLINE lanes lanes_mul(lanes a, lanes b) {
  EACH_LANE a.at[i] *= b.at[i];
  return a;
}

/* a * b + c; machines that have no fused form of it round twice. */
INLINE lanes lanes_fma(lanes a, lanes b, lanes c) {
  EACH_LANE c.at[i] += a.at[i] * b.at[i];
  return c;
}

INLINE lanes lanes_clamp(lanes x, lanes low, lanes high) {
  EACH_LANE x.at[i] = x.at[i] < low.at[i] ? low.at[i] : x.at[i];
  EACH_LANE x.at[i] = x.at[i] > high.at[i] ? high.at[i] : x.at[i];
  return x;
}

INLINE lane_mask lanes_between(lanes x, lanes low, lanes high) {
  lane_mask mask;
  EACH_LANE mask.at[i] = x.at[i] > low.at[i] && x.at[i] < high.at[i];
  return mask;
}

INLINE lanes lanes_keep(lane_mask mask, lanes x) {
  EACH_LANE x.at[i] = mask.at[i] ? x.at[i] : 0;
  return x;
}

INLINE lanes lanes_load(const void *values, int64_t index, element type) {
  lanes x;
  EACH_LANE x.at[i] = load_one(values, index + i, type);
  return x;
}

INLINE void lanes_store(void *values, int64_t index, lanes x, element type) {
  EACH_LANE store_one(values, index + i, x.at[i], type);
}

INLINE void lanes_stream(void *values, int64_t index, lanes x, element type) {
  lanes_store(values, index, x, type);
}

INLINE void streamed(void) {}

#undef EACH_LANE

#endif
#endif
