/*
 * Tensors [..., C] whose numbers are treated by channel, seen without regard for C: as rows of `period`
 * numbers, the least multiple of C and of the 64 that a block of four vectors takes. Three channels then fill
 * vectors as well as 64 do, and only what is left after the last whole row is taken one by one.
 */
#ifndef DISTILLERY_PERIODIC_H
#define DISTILLERY_PERIODIC_H

#include "lanes.h"

/* Vectors that are worked on at once, each with parameters and sums of its own in registers. */
#define BLOCK 4
#define BLOCK_LANES (BLOCK * LANES)

/* What a task takes: 128 KiB of bfloat16, so that several tensors of it fit the second level of the cache. */
#define TASK_ELEMENTS 65536

/* Short rows are taken in groups of about so many numbers, which stay in the first level. */
#define GROUP_ELEMENTS 2048

/* How far ahead memory is asked for. */
#define AHEAD_ELEMENTS 4096

typedef struct {
  int64_t channels, elements, period;
  /* Whole rows; `elements - rows * period` numbers follow them. */
  int64_t rows;
  int64_t rows_per_task, tasks;
} periodic;

INLINE int64_t greatest_divisor(int64_t a, int64_t b) {
  while (b != 0) {
    int64_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

static inline periodic periodic_of(int64_t elements, int64_t channels) {
  periodic view;
  view.channels = channels;
  view.elements = elements;
  view.period = channels / greatest_divisor(channels, BLOCK_LANES) * BLOCK_LANES;
  view.rows = elements / view.period;
  view.rows_per_task = TASK_ELEMENTS / view.period + 1;
  view.tasks = (view.rows + view.rows_per_task - 1) / view.rows_per_task;
  if (view.tasks == 0) view.tasks = 1;
  return view;
}

/* The rows of a task; the last one also has what follows the whole rows. */
typedef struct {
  int64_t first, end, group;
  /* Numbers without a row of their own, from `first * period` on if there are no rows at all. */
  int64_t rest, rest_end;
} task_rows;

static inline task_rows rows_of_task(const periodic *view, int64_t index) {
  task_rows own;
  own.first = index * view->rows_per_task;
  own.end = own.first + view->rows_per_task < view->rows ? own.first + view->rows_per_task : view->rows;
  // Blocks of long rows lie too far apart for the machine to see them coming: those go one row at a time.
  own.group = view->period <= GROUP_ELEMENTS / 4 ? GROUP_ELEMENTS / view->period : 1;
  own.rest = view->rows * view->period;
  own.rest_end = index == view->tasks - 1 ? view->elements : own.rest;
  return own;
}

/* `period` numbers, those of the channels one after another. */
static inline void repeat_channels(const periodic *view, const float *values, float *repeated) {
  for (int64_t start = 0; start < view->period; start += view->channels)
    memcpy(repeated + start, values, (size_t)view->channels * sizeof(float));
}

/* Adds up what belongs to the same channel, [period] -> [C]. */
static inline void sum_channels(const periodic *view, const float *sums, float *by_channel) {
  memcpy(by_channel, sums, (size_t)view->channels * sizeof(float));
  for (int64_t start = view->channels; start < view->period; start += view->channels)
    for (int64_t c = 0; c < view->channels; c++) by_channel[c] += sums[start + c];
}

/* The sums of all tasks, [tasks, count] -> [count], in their order. */
static inline void sum_tasks(const float *sums, int64_t tasks, int64_t count, double *totals) {
  for (int64_t i = 0; i < count; i++) totals[i] = 0;
  for (int64_t task = 0; task < tasks; task++)
    for (int64_t i = 0; i < count; i++) totals[i] += (double)sums[task * count + i];
}

/* Asks for the block that will be wanted when some thousand more numbers are done. */
INLINE void prefetch_block(const void *values, int64_t index, element type) {
  const char *block = (const char *)values + (index + AHEAD_ELEMENTS) * element_bytes(type);
  for (int64_t line = 0; line < BLOCK_LANES * element_bytes(type); line += 64) {
    __builtin_prefetch(block + line);
  }
}

/*
 * Whether a tensor is better written past the caches: it is read again from its beginning, and would have
 * pushed that out by its end.
 */
static inline int worth_streaming(const periodic *view, element type, const void *values) {
  return view->elements * element_bytes(type) >= STREAMED_BYTES && (uintptr_t)values % 64 == 0;
}

/* Where the group of rows that begins with `row` ends. */
INLINE int64_t group_end(const task_rows *own, int64_t row) {
  return row + own->group < own->end ? row + own->group : own->end;
}

#endif
