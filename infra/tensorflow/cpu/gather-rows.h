/* Whole tensors put together row by row; see `gather.h`. */
#ifndef DISTILLERY_GATHER_ROWS_H
#define DISTILLERY_GATHER_ROWS_H

#include "gather.h"

typedef struct {
  window_shape shape;
  element type;
  /* From the windows' results back to the input, i.e. a gradient. */
  int backward;
  const void *source;
  void *out;
  /* MULTIPLIED: [KH, KW, padded C] in the order of lanes. */
  const float *filter;
  /* MULTIPLIED: what becomes of the sums, its numbers in the order of lanes; or NULL. */
  const channel_finish *finish;
  /*
   * AVERAGED and SHARED: [H'] and [W'], one over the cells of each window that exist in rows and in columns.
   */
  const float *row_shares, *column_shares;
  /* MARKED: [rows, W', padded C], for windows from the row `marks_first` of the image on. */
  const uint16_t *marks;
  int64_t marks_first;
  /* Results are written past the caches. */
  int streamed;
  /* Not 0: a row of results goes into lines so many bytes apart, a result every 64 bytes. */
  int64_t line_step;
  /* Only so many channels, by whole blocks, if `to` is not 0. */
  int64_t from, to;
  /* What a task takes: the `bands`-th part of an image. */
  int64_t bands;
} gathered_tensor;

/* Enough tasks for many cores and few images. */
#define LEAST_TASKS 32

INNER int64_t bands_of(const window_shape *s, int64_t rows) {
  const int64_t bands = (LEAST_TASKS + s->batch - 1) / s->batch;
  return bands < rows ? bands : rows;
}

INNER int64_t result_rows(const gathered_tensor *t) {
  return t->backward ? t->shape.height : t->shape.out_height;
}

INNER int64_t result_columns(const gathered_tensor *t) {
  return t->backward ? t->shape.width : t->shape.out_width;
}

/* Whether results are better written past the caches, and can be: by whole lines. */
INNER int worth_streaming(const gathered_tensor *t) {
  const int64_t cells = t->shape.batch * result_rows(t) * result_columns(t);
  const int64_t bytes = cells * t->shape.inputs * element_bytes(t->type);
  return bytes >= STREAMED_BYTES && t->shape.inputs % CHANNELS == 0 && (uintptr_t)t->out % 64 == 0;
}

typedef struct {
  sweep along;
  int64_t i;
} row_place;

INNER row_place row_place_of(const gathered_tensor *t, int64_t y) {
  const window_axis axis = rows_of(&t->shape);
  if (!t->backward)
    return (row_place){forward_sweep(&axis), y};
  return (row_place){gradient_sweep(&axis, y % axis.stride), y / axis.stride};
}

/* The rows of the source that results in row y read: from the first to behind the last. */
INNER range rows_read(const row_place *at) {
  const range taps = taps_within(&at->along, at->i);
  const int64_t start = at->along.source + at->i * at->along.stride;
  return (range){start + taps.first * at->along.source_step,
                 start + (taps.end - 1) * at->along.source_step + 1};
}

INNER void plan_ahead(gathered_row *row, const gathered_tensor *t, int64_t y, range read, int64_t out_line) {
  if (y + 1 == result_rows(t))
    return;
  const row_place next = row_place_of(t, y + 1);
  const int64_t end = rows_read(&next).end;
  row->ahead = (read.end - read.first) * row->line;
  row->rows_ahead = end > read.end ? end - read.end : 0;
  row->out_ahead = out_line;
}

/* Row y of an image's results. */
INNER void gather_row_into(void *out, const gathered_tensor *t, int64_t image, int64_t y, gathering how,
                            element type) {
  const window_shape *s = &t->shape;
  const row_place at = row_place_of(t, y);
  const range taps = taps_within(&at.along, at.i), read = rows_read(&at);
  const int64_t c = s->inputs, padded = padded_channels(c), width = t->backward ? s->out_width : s->width;
  const int64_t height = t->backward ? s->out_height : s->height;
  const int64_t tap = at.along.tap + taps.first * at.along.tap_step, step = at.along.source_step;
  gathered_row row = {
      .channels = c, .to = c, .rows = taps.end - taps.first, .pitch = step * width * c, .line = width * c};
  if (t->to > 0) {
    row.from = t->from;
    row.to = t->to;
  }
  row.source = (const char *)t->source + (image * height + read.first) * width * c * element_bytes(type);
  row.out = out;
  row.streamed = t->streamed;
  row.line_step = t->line_step;
  if (how == MULTIPLIED)
    row.filter = t->filter + tap * s->filter_width * padded;
  row.finish = t->finish;
  row.filter_pitch = at.along.tap_step * s->filter_width * padded;
  if (how == AVERAGED)
    row.row_shares = t->row_shares + y;
  if (how == SHARED)
    row.row_shares = t->row_shares + read.first;
  row.shares_pitch = step;
  row.column_shares = t->column_shares;
  if (how == MARKED)
    row.marks = t->marks + (read.first - t->marks_first) * width * padded;
  row.marks_pitch = step * width * padded;
  row.mark = tap * s->filter_width;
  row.mark_pitch = at.along.tap_step * s->filter_width;
  const int is_cached = how != MARKING && !row.streamed && row.line_step == 0;
  plan_ahead(&row, t, y, read, is_cached ? result_columns(t) * c : 0);
  const window_axis columns = columns_of(s);
  if (!t->backward) {
    const sweep along = forward_sweep(&columns);
    gather_sweep(&row, &along, how, type);
  } else
    for (int64_t remainder = 0; remainder < columns.stride; remainder++, row.rows_ahead = row.out_ahead = 0) {
      const sweep along = gradient_sweep(&columns, remainder);
      gather_sweep(&row, &along, how, type);
    }
}

/* The rows of one task. */
INNER void gather_band(const gathered_tensor *t, int64_t index, gathering how, element type) {
  const window_shape *s = &t->shape;
  const int64_t image = index / t->bands, band = index % t->bands, rows = result_rows(t);
  const int64_t line = result_columns(t) * s->inputs * element_bytes(type);
  for (int64_t y = band * rows / t->bands; y < (band + 1) * rows / t->bands; y++)
    gather_row_into((char *)t->out + (image * rows + y) * line, t, image, y, how, type);
  if (t->streamed) streamed();
}

#endif
