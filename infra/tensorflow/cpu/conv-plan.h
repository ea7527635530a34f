/*
 * What forward pass and input gradient have in common: a grid of output pixels, each the sum over taps of
 * source pixels at fixed offsets.
 *
 * Source pixels are copied, block by block, into lines of 64 bytes, padded with zeros:
 * [row phase][row][line of channels][column phase][column][image][64 bytes]. Pixels of one phase are those
 * whose coordinates agree modulo the stride. Whatever stride, dilation and padding are, what neighbouring
 * outputs read for one tap then lies 64 bytes apart, and no tile looks at borders.
 */
#ifndef DISTILLERY_CONV_PLAN_H
#define DISTILLERY_CONV_PLAN_H

#include "channel-finish.h"
#include "kept-filter.h"

#define CONV_LINE 64
/* Words of 32 bits in a line: 16 channels of float32, or 16 pairs of bf16 channels. */
#define CONV_WORDS 16
/* Output channels of a panel, the unit in which filters are packed: two vectors. */
#define CONV_PANEL FINISH_PANEL
/* Tasks enough for many threads, and long enough to look ahead; below the second, outputs are cut, too. */
#define CONV_TASKS 64
#define CONV_FEW_TASKS 16

/* For tap t, output o reads source o * stride + first + t * step, and filter row weight + t * weight_step. */
typedef struct {
  int64_t source, outputs, stride;
  int64_t taps, first, step;
  int64_t weight, weight_step;
} conv_axis;

typedef struct {
  const char *begin, *end;
} conv_memory;

/*
 * What makes source pixels where no tensor holds them, a whole number of units of neighbouring columns: into
 * lines that lie `line_step` bytes apart, a column every `CONV_LINE` bytes. `reads` is what it makes them of.
 */
typedef struct {
  void (*make)(const void *context, int64_t column, int64_t columns, char *lines, int64_t line_step);
  conv_memory (*reads)(const void *context, int64_t column, int64_t columns);
  const void *context;
  int64_t unit;
} conv_maker;

typedef struct {
  conv_axis rows, columns;
  int64_t batch;
  /* Elements between source columns and rows, and elements read at each: in a stem, several pixels. */
  int64_t pixel, row, depth;
  int64_t outputs;
  /* Elements between the output's pixels, rows and images. */
  int64_t out_pixel, out_row, out_image;
  int is_bf16;
  /* NULL: sums are stored as they are. */
  const channel_finish *finish;
  /* NULL: source pixels are read. Only for matrix products, whose pixels are one row. */
  const conv_maker *maker;
} conv_plan;

/* A line of source pixels, the words of it that count, and the bytes of one vector's filter before theirs. */
typedef struct {
  int64_t offset, words, filter;
} conv_entry;

/* How a filter is read: (tap, k, n) lies at tap * tap_step + k * k_step + n * n_step; one step is 1. */
typedef struct {
  const float *values;
  int64_t width, tap_step, k_step, n_step;
  /* Of the node, if what becomes of it may be kept. */
  kept_filter *kept;
} conv_filter;

/* Bytes of a packed filter. */
size_t conv_packed_size(const conv_plan *plan);

/*
 * Packs the filter into panels [outputs / 32][tap][word of depth][32 outputs], with zeros beyond the last
 * channel; a last panel with at most 16 outputs is half as wide.
 */
void conv_pack_filter(const conv_plan *plan, const conv_filter *filter, char *packed);

/* Computes the whole grid. */
void conv_run(const conv_plan *plan, const conv_filter *filter, const void *source, void *out);

static inline int64_t conv_minimum(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t conv_ceil(int64_t a, int64_t b) { return (a + b - 1) / b; }

/* Output channels of a task: all, unless there are few `groups` of pixels for many threads. */
static inline int64_t conv_outputs_of_task(const conv_plan *plan, int64_t groups) {
  int64_t panels = conv_ceil(plan->outputs, CONV_PANEL), tasks = CONV_FEW_TASKS;
  /* To copy a block for each of its tasks costs time; to make it, all of them together, does not. */
  if (plan->maker != NULL && groups < tasks) tasks *= 2;
  return conv_ceil(panels, conv_minimum(panels, conv_ceil(tasks, groups))) * CONV_PANEL;
}

/* The finish of the panel that begins with output channel `panel`; its residual where an output lies. */
static inline channel_finish conv_finish_of(const conv_plan *plan, int64_t panel) {
  if (plan->finish == NULL) return (channel_finish){0};
  channel_finish finish = *plan->finish;
  finish.scale += panel;
  finish.shift += panel;
  return finish;
}
static inline const void *conv_residual_at(const conv_plan *plan, int64_t output) {
  if (plan->finish == NULL || plan->finish->residual == NULL) return NULL;
  return (const char *)plan->finish->residual + output * (plan->is_bf16 ? 2 : 4);
}

/* Words and lines that one source pixel takes. */
static inline int64_t conv_words(const conv_plan *plan) {
  return plan->is_bf16 ? (plan->depth + 1) / 2 : plan->depth;
}
static inline int64_t conv_lines(const conv_plan *plan) { return conv_ceil(conv_words(plan), CONV_WORDS); }

#endif
