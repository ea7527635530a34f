/*
 * The gradient of a dense convolution with respect to its filter:
 *
 *   dfilter[kh, kw, i, o] = sum over n, oy, ox of x[n, y, x, i] * dy[n, oy, ox, o]
 *   where y = oy * stride_height + kh * dilation_height - pad_top, and x likewise
 *
 * x [N, H, W, I], dy [N, OH, OW, O], dfilter [KH, KW, I, O] in float32. Products of bf16 are exact and
 * summed in float32. The order of the sums depends on the shape alone.
 */
#include "conv-filter-gradient-parts.h"
#include "conv.h"

/* Lanes that a tile may read, and not use, behind the last that were packed. */
#define SLACK (4 * LANES)
/* Elements of the filter that a task adds up. */
#define ADDED_ELEMENTS 8192

typedef struct {
  filter_gradient_plan plan;
  const void *x, *dy;
  /* What the splits leave, [split][tap][row][column]; a single split leaves it in dfilter at once. */
  float *sums;
  float *dfilter;
} gradient_job;

static int64_t elements_of(const filter_gradient_plan *plan) {
  return plan->taps * plan->rows * plan->columns;
}

/* All tiles of one tap of a chunk. `tile` holds the runs; `out` is where the matrix of the tap begins. */
static void add_tap(const gradient_chunk *c, gradient_tile *tile, const float *x, const float *dy,
                    float *out) {
  const filter_gradient_plan *plan = c->plan;
  const int as_columns = plan->order == TAPS_AS_COLUMNS;
  const int64_t vectors = divide_up(c->columns, LANES);
  const int64_t x_pixels = c->images * c->x_rows * c->x_row_pixels;
  const int64_t dy_pixels = c->images * c->out_rows * c->dy_row_pixels;
  for (int64_t panel = 0; panel < column_panels(vectors); panel++) {
    const int64_t width = panel_width(vectors, panel);
    const int64_t column = panel * 2 * LANES;
    const int64_t last = at_most(c->columns - column - (width - 1) * LANES, LANES);
    tile->last_lanes = (uint16_t)((1u << last) - 1);
    tile->dy_pitch = as_columns ? plan->shape.outputs : width * LANES;
    tile->dy = dy + (as_columns ? column : column * dy_pixels);
    for (int64_t row = 0; row < c->rows; row += plan->tile_rows) {
      tile->x = x + (plan->order == TAPS_AS_ROWS ? row : row / LANES * LANES * x_pixels + row % LANES);
      tile->out = out + (c->row + row) * plan->columns + c->column + column;
      tile->rows = at_most(c->rows - row, plan->tile_rows);
      filter_gradient_add_tile(tile, plan->tile_rows, width, plan->is_bf16);
      const int64_t fetched = at_most(tile->run_count * tile->ahead_per_run, tile->ahead_count);
      tile->ahead += fetched;
      tile->ahead_count -= fetched;
    }
  }
}

/* One of the tasks: a block of rows and columns over the chunks from `first` to `end`. */
typedef struct {
  int64_t split, row, column, first, end;
} gradient_task;

static gradient_task task_of(const filter_gradient_plan *plan, int64_t index) {
  const int64_t split = index % plan->splits;
  const int64_t block = index / plan->splits;
  return (gradient_task){split, block % plan->row_blocks * plan->row_block,
                         block / plan->row_blocks * plan->column_block, split * plan->chunks / plan->splits,
                         (split + 1) * plan->chunks / plan->splits};
}

static int64_t tasks_of(const filter_gradient_plan *plan) {
  return plan->row_blocks * plan->column_blocks * plan->splits;
}

/* Memory of a task: its packed sides, the runs of a tap and what is to be fetched. */
typedef struct {
  float *x, *dy;
  pixel_run *runs;
  const char **ahead;
} task_memory;

static task_memory memory_of(const gradient_job *job, int thread) {
  const gradient_chunk largest = filter_gradient_largest_chunk(&job->plan);
  const packed_part x_part = filter_gradient_x_part(&largest, job->x);
  const packed_part dy_part = filter_gradient_dy_part(&largest, job->dy);
  const int64_t x_lanes = round_up(filter_gradient_x_lanes(&largest) + SLACK, LANES);
  const int64_t dy_lanes = round_up(filter_gradient_dy_lanes(&largest) + SLACK, LANES);
  const int64_t runs = filter_gradient_run_limit(&largest);
  const int64_t ahead = filter_gradient_ahead_limit(&x_part) + filter_gradient_ahead_limit(&dy_part);
  const size_t bytes = (size_t)(x_lanes + dy_lanes) * sizeof(float) + (size_t)runs * sizeof(pixel_run) +
                       (size_t)ahead * sizeof(char *);
  task_memory memory = {.x = thread_scratch(thread, bytes)};
  memory.dy = memory.x + x_lanes;
  memory.runs = (pixel_run *)(memory.dy + dy_lanes);
  memory.ahead = (const char **)(memory.runs + runs);
  return memory;
}

/* Lists what the task packs after chunk `index`, or the thread presumably in its next task. */
static int64_t list_ahead(const gradient_job *job, int64_t task, int64_t index, const char **ahead) {
  const int ends = index + 1 == task_of(&job->plan, task).end;
  const int64_t next = task + (ends ? parallel_threads() : 0);
  if (next >= tasks_of(&job->plan)) return 0;
  const gradient_task t = task_of(&job->plan, next);
  const int64_t next_chunk = ends ? t.first : index + 1;
  const gradient_chunk chunk = filter_gradient_chunk_of(&job->plan, next_chunk, t.row, t.column);
  const packed_part x_part = filter_gradient_x_part(&chunk, job->x);
  const packed_part dy_part = filter_gradient_dy_part(&chunk, job->dy);
  const int64_t count = filter_gradient_list_ahead(&x_part, ahead);
  return count + filter_gradient_list_ahead(&dy_part, ahead + count);
}

static void run_task(void *context, int64_t index, int thread) {
  const gradient_job *job = context;
  const filter_gradient_plan *plan = &job->plan;
  const gradient_task task = task_of(plan, index);
  const task_memory memory = memory_of(job, thread);
  float *sums = job->sums + task.split * elements_of(plan);
  for (int64_t i = task.first; i < task.end; i++) {
    const gradient_chunk chunk = filter_gradient_chunk_of(plan, i, task.row, task.column);
    filter_gradient_pack_x(&chunk, job->x, memory.x);
    filter_gradient_pack_dy(&chunk, job->dy, memory.dy);
    gradient_tile tile = {.x_pitch = chunk.x_pitch, .x_step = chunk.x_step, .runs = memory.runs,
                          .out_pitch = plan->columns, .accumulate = i > task.first, .ahead = memory.ahead};
    tile.ahead_count = list_ahead(job, index, i, memory.ahead);
    const int64_t panels = column_panels(divide_up(chunk.columns, LANES));
    const int64_t tiles = divide_up(chunk.rows, plan->tile_rows) * panels * plan->taps;
    for (int64_t tap = 0; tap < plan->taps; tap++) {
      tile.run_count = filter_gradient_runs(&chunk, tap, memory.runs, &tile.steps);
      if (tap == 0) tile.ahead_per_run = divide_up(tile.ahead_count, tiles * at_least(tile.run_count, 1));
      add_tap(&chunk, &tile, memory.x, memory.dy, sums + tap * plan->rows * plan->columns);
    }
  }
}

/* Adds up what the splits have left for rows of the filter; taps that were columns find their place again. */
static void add_splits(void *context, int64_t index, int thread) {
  (void)thread;
  const gradient_job *job = context;
  const filter_gradient_plan *plan = &job->plan;
  const int64_t outputs = plan->shape.outputs;
  const int64_t neighbours = plan->columns / outputs;
  const int64_t block = divide_up(ADDED_ELEMENTS, plan->columns);
  const int64_t end = at_most((index + 1) * block, plan->taps * plan->rows);
  for (int64_t row = index * block; row < end; row++) {
    const int64_t tap = row / plan->rows * neighbours;
    for (int64_t n = 0; n < neighbours; n++) {
      const int64_t target = (tap + neighbours - 1 - n) * plan->rows + row % plan->rows;
      float *restrict to = job->dfilter + target * outputs;
      const float *restrict from = job->sums + row * plan->columns + n * outputs;
      for (int64_t o = 0; o < outputs; o++) to[o] = from[o];
      for (int64_t split = 1; split < plan->splits; split++) {
        from += elements_of(plan);
        for (int64_t o = 0; o < outputs; o++) to[o] += from[o];
      }
    }
  }
}

static void run_job(const window_shape *shape, int is_bf16, const void *x, const void *dy, float *dfilter) {
  gradient_job job = {filter_gradient_plan_of(shape, is_bf16), x, dy, dfilter, dfilter};
  const filter_gradient_plan *plan = &job.plan;
  const int in_place = plan->splits == 1 && plan->order != TAPS_AS_COLUMNS;
  if (!in_place) job.sums = shared_scratch(0, (size_t)(plan->splits * elements_of(plan)) * sizeof(float));
  parallel_run(tasks_of(plan), run_task, &job);
  if (in_place) return;
  const int64_t added_rows = divide_up(ADDED_ELEMENTS, plan->columns);
  parallel_run(divide_up(plan->taps * plan->rows, added_rows), add_splits, &job);
}

int conv_filter_gradient_supported(const window_shape *shape, int is_bf16) {
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#if !defined(__AVX512BF16__)
  if (is_bf16) return 0;
#endif
  (void)is_bf16;
  return shape->batch > 0;
#else
  (void)shape, (void)is_bf16;
  return 0;
#endif
}

void conv_filter_gradient_f32(const window_shape *shape, const float *x, const float *dy, float *dfilter) {
  run_job(shape, 0, x, dy, dfilter);
}

void conv_filter_gradient_bf16(const window_shape *shape, const bf16 *x, const bf16 *dy, float *dfilter) {
  run_job(shape, 1, x, dy, dfilter);
}
