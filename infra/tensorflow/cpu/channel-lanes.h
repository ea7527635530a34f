/*
 * Thirty-two channels of a cell at a time, of which there may be fewer: those too many read as 0 and are not
 * written.
 *
 * Which channel is in which lane is left open, so that bfloat16 is unpacked by a shift and a mask: the even
 * ones in one half, the odd ones in the other. What is to meet them channel by channel goes through
 * `channels_order`.
 */
#ifndef DISTILLERY_CHANNEL_LANES_H
#define DISTILLERY_CHANNEL_LANES_H

#include "lanes.h"

#define CHANNELS (2 * LANES)

/*
 * What is inlined and laid out flat where vectors are at hand. Elsewhere our kernels take no shape: they only
 * have to compile, and quickly.
 */
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#define INNER INLINE
#else
#define INNER static __attribute__((unused, noinline))
#endif

typedef struct {
  lanes a, b;
} channels;

/* Rounded up to whole blocks. */
INLINE int64_t padded_channels(int64_t count) { return (count + CHANNELS - 1) / CHANNELS * CHANNELS; }

INLINE channels channels_of(float value) { return (channels){lanes_of(value), lanes_of(value)}; }

INLINE channels channels_add(channels x, channels y) {
  return (channels){lanes_add(x.a, y.a), lanes_add(x.b, y.b)};
}

INLINE channels channels_scale(channels x, float by) {
  return (channels){lanes_mul(x.a, lanes_of(by)), lanes_mul(x.b, lanes_of(by))};
}

/* x * y + z */
INLINE channels channels_fma(channels x, channels y, channels z) {
  return (channels){lanes_fma(x.a, y.a, z.a), lanes_fma(x.b, y.b, z.b)};
}

/* Thirty-two numbers that are in the order of lanes already. */
INLINE channels ordered_load(const float *values) {
  return (channels){lanes_load(values, 0, FLOAT32), lanes_load(values, LANES, FLOAT32)};
}

INLINE void ordered_store(float *values, channels x) {
  lanes_store(values, 0, x.a, FLOAT32);
  lanes_store(values, LANES, x.b, FLOAT32);
}

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__)

typedef __mmask32 channel_mask;

INLINE int channel_lane(int i, element type) { return type == FLOAT32 ? i : i / 2 + i % 2 * LANES; }

INLINE channel_mask channels_left(int64_t count) {
  return count >= CHANNELS ? (channel_mask)0xffffffff : ((channel_mask)1 << count) - 1;
}

INLINE channels channels_load(const void *values, int64_t index, channel_mask some, element type) {
  if (type == FLOAT32) {
    const float *from = (const float *)values + index;
    return (channels){_mm512_maskz_loadu_ps((__mmask16)some, from),
                      _mm512_maskz_loadu_ps((__mmask16)(some >> LANES), from + LANES)};
  }
  const __m512i halves = _mm512_maskz_loadu_epi16(some, (const bf16 *)values + index);
  return (channels){_mm512_castsi512_ps(_mm512_slli_epi32(halves, 16)),
                    _mm512_castsi512_ps(_mm512_and_si512(halves, _mm512_set1_epi32((int)0xffff0000)))};
}

INLINE __m512i channels_to_bf16(channels x) {
#if defined(__AVX512BF16__)
  const __m512i back = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7,
                                        22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  const __m512bh rounded = _mm512_cvtne2ps_pbh(x.b, x.a);
  __m512i halves;
  memcpy(&halves, &rounded, sizeof halves);
  return _mm512_permutexvar_epi16(back, halves);
#else
  const __m512i even = _mm512_cvtepu16_epi32(lanes_to_bf16(x.a));
  const __m512i odd = _mm512_cvtepu16_epi32(lanes_to_bf16(x.b));
  return _mm512_or_si512(even, _mm512_slli_epi32(odd, 16));
#endif
}

INLINE void channels_store(void *values, int64_t index, channel_mask some, channels x, element type) {
  if (type == FLOAT32) {
    float *to = (float *)values + index;
    _mm512_mask_storeu_ps(to, (__mmask16)some, x.a);
    _mm512_mask_storeu_ps(to + LANES, (__mmask16)(some >> LANES), x.b);
  } else {
    _mm512_mask_storeu_epi16((bf16 *)values + index, some, channels_to_bf16(x));
  }
}

/*
 * A block into lines of 64 bytes, `step` bytes from one to the next; the first holds channel 0. A line is
 * written whole, or not at all if it holds no channel.
 */
INLINE void channels_store_lines(char *lines, int64_t c, int64_t step, channel_mask some, channels x,
                                 element type) {
  if (type == FLOAT32) {
    char *to = lines + c / LANES * step;
    _mm512_store_ps((float *)to, x.a);
    if (some >> LANES != 0) _mm512_store_ps((float *)(to + step), x.b);
  } else {
    _mm512_store_si512((__m512i *)(lines + c / CHANNELS * step), channels_to_bf16(x));
  }
}

/* A full block at an address that 64 divides, written past the caches. */
INLINE void channels_stream(void *values, int64_t index, channels x, element type) {
  if (type == FLOAT32) {
    _mm512_stream_ps((float *)values + index, x.a);
    _mm512_stream_ps((float *)values + index + LANES, x.b);
  } else {
    _mm512_stream_si512((__m512i *)((bf16 *)values + index), channels_to_bf16(x));
  }
}

INLINE channels channels_max(channels x, channels y) {
  return (channels){_mm512_max_ps(x.a, y.a), _mm512_max_ps(x.b, y.b)};
}

/* A whole number below 2^16 for each channel; in memory they are in the order of lanes. */
typedef struct {
  __m512i a, b;
} marks;

INLINE marks marks_of(int value) { return (marks){_mm512_set1_epi32(value), _mm512_set1_epi32(value)}; }

INLINE marks marks_load(const uint16_t *values, int64_t index) {
  const __m256i *from = (const __m256i *)(values + index);
  return (marks){_mm512_cvtepu16_epi32(_mm256_loadu_si256(from)),
                 _mm512_cvtepu16_epi32(_mm256_loadu_si256(from + 1))};
}

INLINE void marks_store(uint16_t *values, int64_t index, marks x) {
  __m256i *to = (__m256i *)(values + index);
  _mm256_storeu_si256(to, _mm512_cvtepi32_epi16(x.a));
  _mm256_storeu_si256(to + 1, _mm512_cvtepi32_epi16(x.b));
}

INLINE void mark_greater_lanes(lanes x, __m512i mark, lanes *greatest, __m512i *marked) {
  const __mmask16 greater = _mm512_cmp_ps_mask(x, *greatest, _CMP_GT_OQ);
  *marked = _mm512_mask_mov_epi32(*marked, greater, mark);
  *greatest = _mm512_max_ps(*greatest, x);
}

/* Marks where x is greater than what was the greatest, which it then is. */
INLINE void mark_greater(channels x, marks mark, channels *greatest, marks *marked) {
  mark_greater_lanes(x.a, mark.a, &greatest->a, &marked->a);
  mark_greater_lanes(x.b, mark.b, &greatest->b, &marked->b);
}

/* sum + x where the marks are the same, else sum. */
INLINE channels add_marked(channels sum, channels x, marks marked, marks mark) {
  return (channels){_mm512_mask_add_ps(sum.a, _mm512_cmpeq_epi32_mask(marked.a, mark.a), sum.a, x.a),
                    _mm512_mask_add_ps(sum.b, _mm512_cmpeq_epi32_mask(marked.b, mark.b), sum.b, x.b)};
}

#else

typedef int channel_mask;

INLINE int channel_lane(int i, element type) { return (void)type, i; }

INLINE channel_mask channels_left(int64_t count) { return count >= CHANNELS ? CHANNELS : (int)count; }

/* The float32 in a lane, by its number. */
INLINE float *lane_at(channels *x, int i) { return (float *)(void *)x + i; }

INLINE channels channels_load(const void *values, int64_t index, channel_mask some, element type) {
  channels x = channels_of(0);
  for (int i = 0; i < some; i++)
    *lane_at(&x, i) = load_one(values, index + i, type);
  return x;
}

INLINE void channels_store(void *values, int64_t index, channel_mask some, channels x, element type) {
  for (int i = 0; i < some; i++)
    store_one(values, index + i, *lane_at(&x, i), type);
}

INLINE void channels_store_lines(char *lines, int64_t c, int64_t step, channel_mask some, channels x,
                                 element type) {
  const int64_t count = 64 / element_bytes(type);
  for (int i = 0; i < some; i++)
    store_one(lines + (c + i) / count * step, (c + i) % count, *lane_at(&x, i), type);
}

INLINE void channels_stream(void *values, int64_t index, channels x, element type) {
  channels_store(values, index, CHANNELS, x, type);
}

INLINE channels channels_max(channels x, channels y) {
  for (int i = 0; i < CHANNELS; i++)
    if (*lane_at(&y, i) > *lane_at(&x, i))
      *lane_at(&x, i) = *lane_at(&y, i);
  return x;
}

typedef struct {
  uint16_t at[CHANNELS];
} marks;

INLINE marks marks_of(int value) {
  marks x;
  for (int i = 0; i < CHANNELS; i++)
    x.at[i] = (uint16_t)value;
  return x;
}

INLINE marks marks_load(const uint16_t *values, int64_t index) {
  marks x;
  memcpy(x.at, values + index, sizeof x.at);
  return x;
}

INLINE void marks_store(uint16_t *values, int64_t index, marks x) {
  memcpy(values + index, x.at, sizeof x.at);
}

INLINE void mark_greater(channels x, marks mark, channels *greatest, marks *marked) {
  for (int i = 0; i < CHANNELS; i++)
    if (*lane_at(&x, i) > *lane_at(greatest, i)) {
      *lane_at(greatest, i) = *lane_at(&x, i);
      marked->at[i] = mark.at[i];
    }
}

INLINE channels add_marked(channels sum, channels x, marks marked, marks mark) {
  for (int i = 0; i < CHANNELS; i++)
    if (marked.at[i] == mark.at[i])
      *lane_at(&sum, i) += *lane_at(&x, i);
  return sum;
}

#endif

/* Where channel c of a cell lies once in the order of lanes. */
INLINE int64_t ordered_place(int64_t c, element type) {
  return c / CHANNELS * CHANNELS + channel_lane((int)(c % CHANNELS), type);
}

/* values [C] -> [padded C] in the order of lanes; what is too much is 0. */
static inline void channels_order(const float *values, int64_t count, float *ordered, element type) {
  memset(ordered, 0, (size_t)padded_channels(count) * sizeof *ordered);
  if (type == FLOAT32) {
    memcpy(ordered, values, (size_t)count * sizeof *ordered);
    return;
  }
  for (int64_t c = 0; c < count; c++)
    ordered[ordered_place(c, type)] = values[c];
}

#endif
