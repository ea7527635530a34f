/* How blocks of source pixels lie in scratch memory: see conv-plan.h. */
#ifndef DISTILLERY_CONV_SOURCE_H
#define DISTILLERY_CONV_SOURCE_H

#include "conv-plan.h"

/* Along one axis: phases that taps touch, pixels kept of each, the first source pixel that output 0 reads. */
typedef struct {
  int64_t phases, slots, lowest;
} conv_span;

typedef struct {
  /* Output rows and columns of a whole block. */
  int64_t height, width;
  conv_span rows, columns;
  /* Bytes from column phase to column phase, line to line, row to row and row phase to row phase. */
  int64_t phase_step, line_step, row_step, row_phase_step;
} conv_layout;

/* A block of the output grid. */
typedef struct {
  int64_t image, row, column, height, width;
} conv_block;

conv_layout conv_layout_of(const conv_plan *plan, int64_t height, int64_t width);
static inline size_t conv_layout_size(const conv_layout *layout) {
  return (size_t)(layout->rows.phases * layout->row_phase_step);
}

/* Source pixels along an axis that outputs from `output` on read, within the image. */
typedef struct {
  int64_t begin, end;
} conv_range;
conv_range conv_source_range(const conv_axis *axis, const conv_span *span, int64_t output, int64_t count);

/* Bytes from an output pixel's place to what it reads for tap (row, column). */
int64_t conv_tap_offset(const conv_plan *plan, const conv_layout *layout, int64_t row, int64_t column);

/* Copies the source pixels that the block reads. */
void conv_pack_source(
  const conv_plan *plan, const conv_layout *layout, const conv_block *block, const char *source, char *packed
);

#endif
