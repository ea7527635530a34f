/*
 * The core that depthwise convolutions, poolings and their gradients share: each result [C] is put together
 * from what its window reads, in registers, and written once. What is known when it is compiled (`how`,
 * `type`, widths) is an argument; everything is inlined into callers that know it.
 */
#ifndef DISTILLERY_GATHER_H
#define DISTILLERY_GATHER_H

#include "channel-finish.h"
#include "channel-lanes.h"
#include "sweep.h"

/* How a result comes of the cells it reads. */
typedef enum {
  /* Cells times the filter's taps, summed. */
  MULTIPLIED,
  /* The greatest cell. */
  GREATEST,
  /* Not the greatest cell, but a mark saying which tap reads it; of equal ones the first. */
  MARKING,
  /* The sum of the cells times the share of the result's window. */
  AVERAGED,
  /* Cells times the share of the window each of them stands for, summed. */
  SHARED,
  /* The sum of the cells whose window has marked this result. */
  MARKED
} gathering;

/* A row of results under way. Pitches are elements from one row that is read to the next. */
typedef struct {
  int64_t channels;
  /* The blocks of them that are wanted: from the first channel to behind the last. */
  int64_t from, to;
  /* How many rows are read; the first one's cell 0. */
  int64_t rows;
  const void *source;
  int64_t pitch;
  /* MULTIPLIED: the taps in the first row, each [padded C] in the order of lanes. */
  const float *filter;
  int64_t filter_pitch;
  const channel_finish *finish;
  /*
   * AVERAGED: shares of this row and of the results' columns. SHARED: of the rows and columns that are read.
   */
  const float *row_shares, *column_shares;
  int64_t shares_pitch;
  /* MARKED: the marks [padded C] of the first row's cells. MARKED and MARKING: the mark of its tap 0. */
  const uint16_t *marks;
  int64_t marks_pitch, mark, mark_pitch;
  /* Result 0; whether results are written past the caches, or into lines so many bytes apart (0: not). */
  void *out;
  int streamed;
  int64_t line_step;
  /* What the next row of results reads for the first time, so many elements after `source`; its results. */
  int64_t ahead, rows_ahead, line, out_ahead;
} gathered_row;

/* Loops over what is kept in registers must be laid out flat. */
#if !defined(__AVX512F__)
#define FLAT
#elif defined(__clang__)
#define FLAT _Pragma("clang loop unroll(full)")
#else
#define FLAT _Pragma("GCC unroll 16")
#endif

/* Results that are worked on at once. With their marks, fewer fit the registers. */
#define WIDEST 7
INNER int width_of(gathering how) { return how == MARKING ? 4 : WIDEST; }

typedef struct {
  channels value;
  marks marked;
} gathered_result;

/* A tap under way. */
typedef struct {
  channels weight;
  marks mark;
  float share;
} gathered_tap;

INNER gathered_tap tap_of(const gathered_row *row, int64_t r, int64_t tap, int64_t c, gathering how) {
  gathered_tap it = {channels_of(0), marks_of(0), 0};
  if (how == MULTIPLIED)
    it.weight = ordered_load(row->filter + r * row->filter_pitch + tap * padded_channels(row->channels) + c);
  if (how == MARKED || how == MARKING)
    it.mark = marks_of((int)(row->mark + r * row->mark_pitch + tap));
  if (how == SHARED)
    it.share = row->row_shares[r * row->shares_pitch];
  return it;
}

/* Adds cell x, which is in `column` of row r, to a result. */
INNER void gather_cell(gathered_result *result, channels x, const gathered_row *row, gathered_tap tap,
                        int64_t r, int64_t column, int64_t c, gathering how) {
  if (how == MULTIPLIED)
    result->value = channels_fma(x, tap.weight, result->value);
  if (how == GREATEST)
    result->value = channels_max(result->value, x);
  if (how == MARKING)
    mark_greater(x, tap.mark, &result->value, &result->marked);
  if (how == AVERAGED)
    result->value = channels_add(result->value, x);
  if (how == SHARED)
    result->value = channels_fma(x, channels_of(tap.share * row->column_shares[column]), result->value);
  if (how == MARKED) {
    const int64_t index = r * row->marks_pitch + column * padded_channels(row->channels) + c;
    result->value = add_marked(result->value, x, marks_load(row->marks, index), tap.mark);
  }
}

/*
 * Windows of three neighbouring columns, `stride` apart: each cell is read once for all results that see it.
 */
INNER void gather_threes(gathered_result *results, const gathered_row *row, const sweep *along,
                          int64_t start, int64_t c, channel_mask some, int width, int stride, int checked,
                          gathering how, element type) {
  const int cells = (width - 1) * stride + 3;
  for (int64_t r = 0; r < row->rows; r++) {
    const gathered_tap taps[3] = {tap_of(row, r, along->tap, c, how),
                                  tap_of(row, r, along->tap + along->tap_step, c, how),
                                  tap_of(row, r, along->tap + 2 * along->tap_step, c, how)};
    int64_t index = r * row->pitch + start * row->channels + c;
    FLAT for (int k = 0; k < cells; k++, index += row->channels) {
      if (checked && (start + k < 0 || start + k >= along->extent))
        continue;
      const channels x = channels_load(row->source, index, some, type);
      FLAT for (int j = 0; j < 3; j++) {
        const int u = (k - j) / stride;
        if (k < j || (k - j) % stride != 0 || u >= width)
          continue;
        gather_cell(&results[u], x, row, taps[j], r, start + k, c, how);
      }
    }
  }
}

INNER void gather_any(gathered_result *results, const gathered_row *row, const sweep *along, int64_t start,
                       int64_t c, channel_mask some, int width, int checked, gathering how, element type) {
  const int64_t jump = along->stride * row->channels;
  for (int64_t r = 0; r < row->rows; r++)
    for (int64_t j = 0; j < along->taps; j++) {
      const gathered_tap tap = tap_of(row, r, along->tap + j * along->tap_step, c, how);
      int64_t column = start + j * along->source_step;
      int64_t index = r * row->pitch + column * row->channels + c;
      FLAT for (int u = 0; u < width; u++, column += along->stride, index += jump) {
        if (checked && (column < 0 || column >= along->extent))
          continue;
        const channels x = channels_load(row->source, index, some, type);
        gather_cell(&results[u], x, row, tap, r, column, c, how);
      }
    }
}

/* Asks for the lines of memory that hold `count` elements from `index` on. */
INNER void ask_for(const void *values, int64_t index, int64_t count, int written, element type) {
  const char *from = (const char *)values + index * element_bytes(type);
  for (int64_t line = 0; line < count * element_bytes(type); line += 64) {
    if (written)
      __builtin_prefetch(from + line, 1, 3);
    else
      __builtin_prefetch(from + line, 0, 3);
  }
}

/*
 * Asks for what falls to the block of channels at c of so many cells from `index` on: those channels of each,
 * or, where it was measured to be faster, an equal share of them all in the order of memory.
 */
INNER void ask_for_cells(const void *values, int64_t index, int64_t cells, int64_t channel_count, int64_t c,
                          int in_order, int written, element type) {
  if (in_order)
    ask_for(values, index + c * cells, CHANNELS * cells, written, type);
  else
    for (int64_t k = 0; k < cells; k++)
      ask_for(values, index + k * channel_count + c, CHANNELS, written, type);
}

/*
 * Asks for what the next row of results takes under the columns of this one. The processor does not see it
 * coming, since many cells are read in turns, and without it large tensors take three times as long.
 */
INNER void look_ahead(const gathered_row *row, const sweep *along, int64_t i, int64_t c, int width,
                       element type) {
  const int in_order = along->stride > 1 && type == FLOAT32;
  int64_t index = (along->source + i * along->stride) * row->channels + row->ahead;
  for (int64_t r = 0; r < row->rows_ahead; r++, index += row->line)
    ask_for_cells(row->source, index, width * along->stride, row->channels, c, in_order, 0, type);
  if (row->out_ahead == 0)
    return;
  index = (along->first + i * along->step) * row->channels + row->out_ahead;
  ask_for_cells(row->out, index, width * along->step, row->channels, c, 0, 1, type);
}

INNER channels finished(channels sum, const channel_finish *finish, int64_t c) {
  const channels y = channels_fma(sum, ordered_load(finish->scale + c), ordered_load(finish->shift + c));
  const lanes low = lanes_of(finish->low), high = lanes_of(finish->high);
  return (channels){lanes_clamp(y.a, low, high), lanes_clamp(y.b, low, high)};
}

/* `width` results from i on; `checked` if not all their cells exist; windows of threes by stride, 0: any. */
INNER void gather_tile(const gathered_row *row, const sweep *along, int64_t i, int width, int threes,
                        int checked, gathering how, element type) {
  const int64_t start = along->source + i * along->stride;
  for (int64_t c = row->from; c < row->to; c += CHANNELS) {
    const channel_mask some = channels_left(row->channels - c);
    look_ahead(row, along, i, c, width, type);
    gathered_result results[WIDEST];
    FLAT for (int u = 0; u < width; u++) {
      results[u].value = channels_of(how == GREATEST || how == MARKING ? -__builtin_inff() : 0);
      results[u].marked = marks_of(0);
    }
    if (threes)
      gather_threes(results, row, along, start, c, some, width, threes, checked, how, type);
    else
      gather_any(results, row, along, start, c, some, width, checked, how, type);
    FLAT for (int u = 0; u < width; u++) {
      const int64_t place = along->first + (i + u) * along->step;
      channels value = results[u].value;
      if (how == MULTIPLIED && row->finish != NULL)
        value = finished(value, row->finish, c);
      if (how == AVERAGED)
        value = channels_scale(value, row->row_shares[0] * row->column_shares[place]);
      if (how == MARKING)
        marks_store(row->out, place * padded_channels(row->channels) + c, results[u].marked);
      else if (row->line_step > 0)
        channels_store_lines((char *)row->out + place * 64, c, row->line_step, some, value, type);
      else if (row->streamed)
        channels_stream(row->out, place * row->channels + c, value, type);
      else
        channels_store(row->out, place * row->channels + c, some, value, type);
    }
  }
}

INNER void gather_tiles(const gathered_row *row, const sweep *along, int threes, gathering how,
                         element type) {
  const int width = width_of(how);
  for (int64_t i = 0; i < along->count; i += width) {
    /* The last tile goes over results of the one before once more, if there is one. */
    if (i > along->count - width)
      i = along->count - width;
    if (all_within(along, i, width))
      gather_tile(row, along, i, width, threes, 0, how, type);
    else
      gather_tile(row, along, i, width, threes, 1, how, type);
  }
}

/* All results of a sweep in a row. */
INNER void gather_sweep(const gathered_row *row, const sweep *along, gathering how, element type) {
  const int three = along->taps == 3 && along->source_step == 1;
  if (along->count < width_of(how))
    for (int64_t i = 0; i < along->count; i++)
      gather_tile(row, along, i, 1, 0, 1, how, type);
  else if (three && along->stride == 1)
    gather_tiles(row, along, 1, how, type);
  else if (three && along->stride == 2)
    gather_tiles(row, along, 2, how, type);
  else
    gather_tiles(row, along, 0, how, type);
}

#endif
