/* Filters in the order in which tiles read them. */
#include "conv-plan.h"

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#include <immintrin.h>

typedef struct {
  const conv_plan *plan;
  const conv_filter *filter;
  char *packed;
} pack_job;

static int64_t panel_words(const conv_plan *plan) {
  return plan->rows.taps * plan->columns.taps * conv_words(plan);
}

size_t conv_packed_size(const conv_plan *plan) {
  return (size_t)(conv_ceil(plan->outputs, 16) * panel_words(plan) * CONV_LINE);
}

static __mmask16 first_lanes(int64_t count) { return (__mmask16)(count >= 16 ? 0xffff : (1 << count) - 1); }

/* Two rows of values, rounded to bf16, as pairs. */
static __m512i paired(__m512 low, __m512 high) {
#if defined(__AVX512BF16__)
  __m512i even = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(low));
  __m512i odd = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(high));
  return _mm512_or_si512(even, _mm512_slli_epi32(odd, 16));
#else
  (void)high;
  return _mm512_castps_si512(low);
#endif
}

/* 16 rows of 16 words, transposed. */
static void transpose(__m512i v[16]) {
  for (int span = 1; span < 16; span *= 2) {
    for (int row = 0; row < 16; row++) {
      if (row & span) continue;
      __m512i a = v[row], b = v[row + span];
      __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
      __m512i step = _mm512_set1_epi32(span);
      __mmask16 upper = _mm512_test_epi32_mask(lane, step);
      __m512i low = _mm512_mask_add_epi32(lane, upper, lane, _mm512_set1_epi32(16 - span));
      __m512i high = _mm512_mask_add_epi32(_mm512_add_epi32(lane, step), upper, lane, _mm512_set1_epi32(16));
      v[row] = _mm512_permutex2var_epi32(a, low, b);
      v[row + span] = _mm512_permutex2var_epi32(a, high, b);
    }
  }
}

/* 16 words (k) by 16 outputs, where outputs are neighbours in memory. */
static void load_rows(
  const pack_job *job, const float *values, int64_t depth, int64_t outputs, __m512i v[16]
) {
  int64_t step = job->filter->k_step;
  __mmask16 mask = first_lanes(outputs);
  for (int64_t w = 0; w < 16; w++) {
    if (job->plan->is_bf16) {
      __m512 low = _mm512_maskz_loadu_ps(2 * w < depth ? mask : 0, values + 2 * w * step);
      __m512 high = _mm512_maskz_loadu_ps(2 * w + 1 < depth ? mask : 0, values + (2 * w + 1) * step);
      v[w] = paired(low, high);
    } else {
      v[w] = _mm512_castps_si512(_mm512_maskz_loadu_ps(w < depth ? mask : 0, values + w * step));
    }
  }
}

/* The same where k runs along memory: rows are outputs first, and turned. */
static void load_columns(
  const pack_job *job, const float *values, int64_t depth, int64_t outputs, __m512i v[16]
) {
  for (int64_t n = 0; n < 16; n++) {
    const float *row = values + n * job->filter->n_step;
    __m512 low = _mm512_setzero_ps();
    if (n < outputs) low = _mm512_maskz_loadu_ps(first_lanes(depth), row);
    v[n] = _mm512_castps_si512(low);
#if defined(__AVX512BF16__)
    if (job->plan->is_bf16) {
      __m512 high = _mm512_setzero_ps();
      if (n < outputs && depth > 16) high = _mm512_maskz_loadu_ps(first_lanes(depth - 16), row + 16);
      v[n] = (__m512i)_mm512_cvtne2ps_pbh(high, low);
    }
#endif
  }
  transpose(v);
}

/* 16 outputs of one line at one tap: read, turned if need be, and put into their panel. */
static void pack_part(const pack_job *job, int64_t tap, int64_t line, int64_t n) {
  const conv_plan *plan = job->plan;
  const conv_filter *filter = job->filter;
  int64_t row = plan->rows.weight + tap / plan->columns.taps * plan->rows.weight_step;
  int64_t column = plan->columns.weight + tap % plan->columns.taps * plan->columns.weight_step;
  int64_t k = line * CONV_WORDS * (plan->is_bf16 ? 2 : 1), words = conv_words(plan);
  int64_t count = conv_minimum(CONV_WORDS, words - line * CONV_WORDS);
  int64_t panel = n / CONV_PANEL * CONV_PANEL, width = plan->outputs - panel > 16 ? 2 : 1;
  int64_t word = tap * words + line * CONV_WORDS;
  char *to = job->packed + (panel / 16 * panel_words(plan) + word * width + (n - panel) / 16) * CONV_LINE;
  const float *from = filter->values + (row * filter->width + column) * filter->tap_step;
  __m512i v[16];
  from += k * filter->k_step + n * filter->n_step;
  if (filter->n_step == 1) load_rows(job, from, plan->depth - k, plan->outputs - n, v);
  else load_columns(job, from, plan->depth - k, plan->outputs - n, v);
  for (int64_t w = 0; w < count; w++) _mm512_store_si512(to + w * width * CONV_LINE, v[w]);
}

/* One line of source channels at one tap for all panels, or one panel for all lines: along rows in memory. */
static void pack_along_outputs(void *context, int64_t index, int thread) {
  const pack_job *job = context;
  int64_t lines = conv_lines(job->plan);
  (void)thread;
  for (int64_t n = 0; n < job->plan->outputs; n += 16) pack_part(job, index / lines, index % lines, n);
}

static void pack_along_depth(void *context, int64_t index, int thread) {
  const pack_job *job = context;
  int64_t panels = conv_ceil(job->plan->outputs, CONV_PANEL), panel = index % panels * CONV_PANEL;
  int64_t end = conv_minimum(panel + CONV_PANEL, job->plan->outputs);
  (void)thread;
  for (int64_t line = 0; line < conv_lines(job->plan); line++)
    for (int64_t n = panel; n < end; n += 16) pack_part(job, index / panels, line, n);
}

void conv_pack_filter(const conv_plan *plan, const conv_filter *filter, char *packed) {
  pack_job job = {plan, filter, packed};
  int64_t taps = plan->rows.taps * plan->columns.taps;
  if (filter->n_step == 1) parallel_run(taps * conv_lines(plan), pack_along_outputs, &job);
  else parallel_run(taps * conv_ceil(plan->outputs, CONV_PANEL), pack_along_depth, &job);
}

#endif
