/* How blocks of source pixels lie in scratch memory: see conv-plan.h. */
#ifndef DISTILLERY_CONV_SOURCE_H
#define DISTILLERY_CONV_SOURCE_H

#include "conv-plan.h"

/* Along one axis: phases that taps touch, pixels kept of each, the first source pixel that output 0 reads. */
typedef struct {
  int64_t phases, slots, lowest;
} conv_span;

typedef struct {
  /* Images, output rows and output columns of a whole block. */
  int64_t images, height, width;
  conv_span rows, columns;
  /* Bytes from column to column, column phase to phase, line to line, row to row and row phase to phase. */
  int64_t column_step, phase_step, line_step, row_step, row_phase_step;
} conv_layout;

/* A block of the output grid. */
typedef struct {
  int64_t image, row, column, images, height, width;
} conv_block;

typedef struct {
  int64_t begin, end;
} conv_range;

/*
 * The layout for blocks that fit a core's caches. The pixels of a tile are neighbours in a row or, where
 * images are small, the same pixel of several images: then no tile has taps beyond an edge, a sixth of
 * all for a 3 x 3 filter over 8 x 8 pixels.
 */
conv_layout conv_choose_layout(const conv_plan *plan);

static inline size_t conv_layout_size(const conv_layout *layout) {
  return (size_t)(layout->rows.phases * layout->row_phase_step);
}

/* Bytes from an output pixel's place to what it reads for tap (row, column). */
int64_t conv_tap_offset(const conv_plan *plan, const conv_layout *layout, int64_t row, int64_t column);

/* Taps of an output that lie within the image, and source pixels within it that `count` outputs read. */
conv_range conv_taps_inside(const conv_axis *axis, int64_t output);
conv_range conv_source_range(const conv_axis *axis, const conv_span *span, int64_t output, int64_t count);

/* Pixels from the lowest tap's to tap `tap`'s. */
static inline int64_t conv_tap_distance(const conv_axis *axis, int64_t tap) {
  return (axis->step < 0 ? tap - (axis->taps - 1) : tap) * axis->step;
}

/* Copies the source pixels that the block reads. */
void conv_pack_source(
  const conv_plan *plan, const conv_layout *layout, const conv_block *block, const char *source, char *packed
);

#endif
