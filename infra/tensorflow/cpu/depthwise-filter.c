/*
 * The gradient of a depthwise convolution with respect to its filter. Rows of `dy` are dealt out to tasks,
 * each of which sums up for itself; what they come to is then added in their order.
 */
#include "depthwise.h"
#include "gather-rows.h"

enum { SLOT_SUMS = 1 };

typedef struct {
  window_shape shape;
  element type;
  const void *x, *dy;
  float *dfilter;
  /* [tasks, KH, KW, padded C] in the order of lanes. */
  float *sums;
  int64_t tasks;
} filter_work;

/* A row of dy under way, and the rows of x that its windows see. */
typedef struct {
  int64_t channels;
  const void *dy;
  int64_t rows;
  const void *x;
  int64_t pitch;
  /* [KW, padded C] for the first of the rows. */
  float *sums;
  int64_t sums_pitch;
  /* As in `gathered_row`, of x and of dy. */
  int64_t ahead, rows_ahead, line, dy_ahead;
} filter_row;

/* Adds what `width` columns of dy from i on make with the cells under three neighbouring taps. */
INNER void sum_threes(const filter_row *row, const sweep *along, int64_t i, const channels *dy, int64_t c,
                       channel_mask some, int width, int stride, int checked, element type) {
  const int cells = (width - 1) * stride + 3;
  const int64_t start = along->source + i * along->stride, padded = padded_channels(row->channels);
  for (int64_t r = 0; r < row->rows; r++) {
    float *kept = row->sums + r * row->sums_pitch + c;
    channels sums[3] = {ordered_load(kept), ordered_load(kept + padded), ordered_load(kept + 2 * padded)};
    int64_t index = r * row->pitch + start * row->channels + c;
    FLAT for (int k = 0; k < cells; k++, index += row->channels) {
      if (checked && (start + k < 0 || start + k >= along->extent))
        continue;
      const channels x = channels_load(row->x, index, some, type);
      FLAT for (int j = 0; j < 3; j++) {
        const int u = (k - j) / stride;
        if (k >= j && (k - j) % stride == 0 && u < width)
          sums[j] = channels_fma(x, dy[u], sums[j]);
      }
    }
    FLAT for (int j = 0; j < 3; j++) ordered_store(kept + j * padded, sums[j]);
  }
}

INNER void sum_any(const filter_row *row, const sweep *along, int64_t i, const channels *dy, int64_t c,
                    channel_mask some, int width, element type) {
  const int64_t padded = padded_channels(row->channels);
  for (int64_t r = 0; r < row->rows; r++)
    for (int64_t j = 0; j < along->taps; j++) {
      float *kept = row->sums + r * row->sums_pitch + j * padded + c;
      channels sum = ordered_load(kept);
      int64_t column = along->source + i * along->stride + j * along->source_step;
      FLAT for (int u = 0; u < width; u++, column += along->stride) {
        if (column < 0 || column >= along->extent)
          continue;
        const int64_t index = r * row->pitch + column * row->channels + c;
        sum = channels_fma(channels_load(row->x, index, some, type), dy[u], sum);
      }
      ordered_store(kept, sum);
    }
}

/* Asks for what the next row of dy takes, as `look_ahead` does. */
INNER void look_ahead_for_filter(const filter_row *row, const sweep *along, int64_t i, int64_t c, int width,
                                  element type) {
  if (row->dy_ahead == 0)
    return;
  const int in_order = along->stride > 1 && type == FLOAT32;
  int64_t index = row->ahead + (along->source + i * along->stride) * row->channels;
  for (int64_t r = 0; r < row->rows_ahead; r++, index += row->line)
    ask_for_cells(row->x, index, width * along->stride, row->channels, c, in_order, 0, type);
  ask_for_cells(row->dy, row->dy_ahead + i * row->channels, width, row->channels, c, 0, 0, type);
}

INNER void sum_tile(const filter_row *row, const sweep *along, int64_t i, int width, int threes, int checked,
                     element type) {
  for (int64_t c = 0; c < row->channels; c += CHANNELS) {
    const channel_mask some = channels_left(row->channels - c);
    look_ahead_for_filter(row, along, i, c, width, type);
    channels dy[WIDEST];
    FLAT for (int u = 0; u < width; u++) dy[u] =
        channels_load(row->dy, (i + u) * row->channels + c, some, type);
    if (threes)
      sum_threes(row, along, i, dy, c, some, width, threes, checked, type);
    else
      sum_any(row, along, i, dy, c, some, width, type);
  }
}

INNER void sum_tiles(const filter_row *row, const sweep *along, int threes, element type) {
  int64_t i = 0;
  for (; i <= along->count - WIDEST; i += WIDEST) {
    if (all_within(along, i, WIDEST))
      sum_tile(row, along, i, WIDEST, threes, 0, type);
    else
      sum_tile(row, along, i, WIDEST, threes, 1, type);
  }
  for (; i < along->count; i++)
    sum_tile(row, along, i, 1, 0, 1, type);
}

/* Row y of an image of dy. */
INNER void sum_row(const filter_work *work, float *sums, int64_t image, int64_t y, element type) {
  const window_shape *s = &work->shape;
  const window_axis rows = rows_of(s), columns = columns_of(s);
  const sweep along = forward_sweep(&columns);
  const row_place at = {forward_sweep(&rows), y}, next = {at.along, y + 1};
  const range taps = taps_within(&at.along, y), read = rows_read(&at), read_next = rows_read(&next);
  const int64_t c = s->inputs, line = s->width * c, out_line = s->out_width * c;
  filter_row row = {
      .channels = c, .rows = taps.end - taps.first, .pitch = s->dilation_height * line, .line = line};
  row.dy = (const char *)work->dy + (image * s->out_height + y) * out_line * element_bytes(type);
  row.x = (const char *)work->x + (image * s->height + read.first) * line * element_bytes(type);
  row.sums_pitch = s->filter_width * padded_channels(c);
  row.sums = sums + taps.first * row.sums_pitch;
  row.ahead = (read.end - read.first) * line;
  row.rows_ahead = read_next.end - read.end;
  row.dy_ahead = y + 1 < s->out_height ? out_line : 0;
  const int three = along.taps == 3 && along.source_step == 1;
  if (three && along.stride == 1)
    sum_tiles(&row, &along, 1, type);
  else if (three && along.stride == 2)
    sum_tiles(&row, &along, 2, type);
  else
    sum_tiles(&row, &along, 0, type);
}

static int64_t sums_size(const window_shape *s) {
  return s->filter_height * s->filter_width * padded_channels(s->inputs);
}

INNER void sum_task(const filter_work *work, int64_t index, element type) {
  const window_shape *s = &work->shape;
  float *sums = work->sums + index * sums_size(s);
  memset(sums, 0, (size_t)sums_size(s) * sizeof(float));
  const int64_t rows = s->batch * s->out_height;
  for (int64_t row = index * rows / work->tasks; row < (index + 1) * rows / work->tasks; row++)
    sum_row(work, sums, row / s->out_height, row % s->out_height, type);
}

static void run_f32(void *context, int64_t index, int thread) {
  (void)thread;
  sum_task(context, index, FLOAT32);
}

static void run_bf16(void *context, int64_t index, int thread) {
  (void)thread;
  sum_task(context, index, BFLOAT16);
}

/* Adds up what all tasks have for one tap. */
static void run_total(void *context, int64_t tap, int thread) {
  (void)thread;
  const filter_work *work = context;
  const int64_t c = work->shape.inputs, padded = padded_channels(c), size = sums_size(&work->shape);
  float *first = work->sums + tap * padded;
  for (int64_t task = 1; task < work->tasks; task++)
    for (int64_t i = 0; i < padded; i += LANES) {
      const lanes more = lanes_load(first + task * size, i, FLOAT32);
      lanes_store(first, i, lanes_add(lanes_load(first, i, FLOAT32), more), FLOAT32);
    }
  for (int64_t i = 0; i < c; i++)
    work->dfilter[tap * c + i] = first[ordered_place(i, work->type)];
}

/* Tasks for many cores, but not so many that their sums are much beside what they read. */
static int64_t tasks_of(const window_shape *s) {
  const int64_t rows = s->batch * s->out_height;
  const int64_t most = rows * s->out_width / (16 * s->filter_height * s->filter_width);
  const int64_t tasks = most < 2 * LEAST_TASKS ? most : 2 * LEAST_TASKS;
  return tasks < 1 ? 1 : tasks < rows ? tasks : rows;
}

static void filter_gradient(const window_shape *shape, element type, const void *x, const void *dy,
                            float *dfilter) {
  filter_work work = {.shape = *shape, .type = type, .x = x, .dy = dy, .dfilter = dfilter};
  work.tasks = tasks_of(shape);
  work.sums = shared_scratch(SLOT_SUMS, (size_t)(work.tasks * sums_size(shape)) * sizeof(float));
  parallel_run(work.tasks, type == FLOAT32 ? run_f32 : run_bf16, &work);
  parallel_run(shape->filter_height * shape->filter_width, run_total, &work);
}

void depthwise_filter_gradient_f32(const window_shape *shape, const float *x, const float *dy,
                                   float *dfilter) {
  filter_gradient(shape, FLOAT32, x, dy, dfilter);
}

void depthwise_filter_gradient_bf16(const window_shape *shape, const bf16 *x, const bf16 *dy,
                                    float *dfilter) {
  filter_gradient(shape, BFLOAT16, x, dy, dfilter);
}
