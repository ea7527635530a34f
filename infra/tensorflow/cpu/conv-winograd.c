#include "conv-winograd.h"
#include "conv-prefetch.h"

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#include "conv-winograd-transforms.h"

/* Patches that are computed together: one tile of each product. */
#define PATCHES CONV_TILE_WIDTH

typedef struct {
  const conv_plan *plan;
  const float *source;
  float *out;
  const char *direct;
  char *filter;
  const conv_entry *entries;
  /* Patches down and across an image and in all, and those of a task. */
  int64_t down, across, total, patches_of_task;
  int64_t outputs_of_task;
} winograd_job;

static int64_t panel_vectors(const conv_plan *plan, int64_t panel) {
  return plan->outputs - panel > 16 ? 2 : 1;
}

/* The place of tap (row, column), counted from the lowest source pixel, in the packed filter. */
static int64_t tap_at(const conv_plan *plan, int64_t row, int64_t column) {
  return (plan->rows.step < 0 ? 2 - row : row) * 3 + (plan->columns.step < 0 ? 2 - column : column);
}

/* One line of source channels of one panel: [9][depth][panel] becomes [36][depth][panel]. */
static void transform_filter_line(void *context, int64_t index, int thread) {
  const winograd_job *job = context;
  const conv_plan *plan = job->plan;
  int64_t lines = conv_lines(plan), panel = index / lines * CONV_PANEL, line = index % lines;
  int64_t vectors = panel_vectors(plan, panel), step = plan->depth * vectors * 16;
  int64_t begin = line * CONV_WORDS * vectors;
  int64_t end = conv_minimum(begin + CONV_WORDS * vectors, plan->depth * vectors);
  const float *from = (const float *)job->direct + panel * plan->depth * 9;
  float *to = (float *)job->filter + panel * plan->depth * PRODUCTS;
  (void)thread;
  for (int64_t at = begin * 16; at < end * 16; at += 16) {
    __m512 half[3][FROM];
    for (int row = 0; row < 3; row++) {
      __m512 g[3];
      for (int column = 0; column < 3; column++)
        g[column] = _mm512_load_ps(from + tap_at(plan, row, column) * step + at);
      transform_filter(g, half[row]);
    }
    for (int column = 0; column < FROM; column++) {
      __m512 g[3] = {half[0][column], half[1][column], half[2][column]}, t[FROM];
      transform_filter(g, t);
      for (int row = 0; row < FROM; row++) _mm512_store_ps(to + (row * FROM + column) * step + at, t[row]);
    }
  }
}

/* Where a patch's source pixels lie; those outside the image have no lanes. */
typedef struct {
  const float *row[FROM];
  int64_t column[FROM];
  __mmask16 row_lanes[FROM], column_lanes[FROM];
} patch_source;

static int64_t lowest(const conv_axis *axis) { return axis->first + (axis->step < 0 ? 2 * axis->step : 0); }

/* The first row, of all images', that a patch reads. */
static int64_t source_row_of(const winograd_job *job, int64_t index) {
  int64_t image = index / (job->down * job->across), row = index / job->across % job->down * TO;
  int64_t in_image = row + lowest(&job->plan->rows);
  return image * job->plan->rows.source + (in_image < 0 ? 0 : in_image);
}

static patch_source source_of(const winograd_job *job, int64_t index) {
  const conv_plan *plan = job->plan;
  int64_t image = index / (job->down * job->across);
  int64_t y = index / job->across % job->down * TO + lowest(&plan->rows);
  int64_t x = index % job->across * TO + lowest(&plan->columns);
  const float *from = job->source + image * plan->rows.source * plan->row;
  patch_source patch;
  for (int64_t i = 0; i < FROM; i++) {
    int row_inside = y + i >= 0 && y + i < plan->rows.source;
    int column_inside = x + i >= 0 && x + i < plan->columns.source;
    patch.row[i] = from + (row_inside ? y + i : 0) * plan->row;
    patch.column[i] = (column_inside ? x + i : 0) * plan->pixel;
    patch.row_lanes[i] = row_inside ? 0xffff : 0;
    patch.column_lanes[i] = column_inside ? 0xffff : 0;
  }
  return patch;
}

/* One line of channels of one patch; its products are `step` floats apart. */
INLINE void transform_patch(
  const patch_source *patch, int64_t channel, __mmask16 lanes, float *to, int64_t step
) {
  __m512 half[FROM][FROM];
  for (int row = 0; row < FROM; row++) {
    const float *from = patch->row[row] + channel;
    __mmask16 inside = patch->row_lanes[row] & lanes;
    __m512 d[FROM];
    for (int column = 0; column < FROM; column++) {
      __mmask16 mask = inside & patch->column_lanes[column];
      d[column] = _mm512_maskz_loadu_ps(mask, from + patch->column[column]);
    }
    transform_source(d, half[row]);
  }
  for (int column = 0; column < FROM; column++) {
    __m512 d[FROM], t[FROM];
    for (int row = 0; row < FROM; row++) d[row] = half[row][column];
    transform_source(d, t);
    for (int row = 0; row < FROM; row++) _mm512_store_ps(to + (row * FROM + column) * step, t[row]);
  }
}

static void transform_patches(const winograd_job *job, int64_t first, int64_t count, float *packed) {
  const conv_plan *plan = job->plan;
  int64_t lines = conv_lines(plan), step = lines * PATCHES * 16;
  for (int64_t i = 0; i < count; i++) {
    patch_source patch = source_of(job, first + i);
    for (int64_t line = 0; line < lines; line++) {
      int64_t left = plan->depth - line * 16;
      __mmask16 lanes = left >= 16 ? 0xffff : (__mmask16)((1 << left) - 1);
      transform_patch(&patch, line * 16, lanes, packed + (line * PATCHES + i) * 16, step);
    }
  }
}

/* The 36 matrix products of one panel: products[36][patch][panel]. */
static void multiply(
  const winograd_job *job, int64_t count, int64_t panel, const char *packed, float *products,
  conv_prefetch *next
) {
  const conv_plan *plan = job->plan;
  int64_t vectors = panel_vectors(plan, panel), lines = conv_lines(plan);
  conv_tile tile = {.entries = job->entries, .entry_count = lines, .out_pixel = vectors * 16, .mask = 0xffff};
  for (int64_t product = 0; product < PRODUCTS; product++) {
    tile.filter = job->filter + (panel * PRODUCTS + product * vectors * 16) * plan->depth * 4;
    tile.source = packed + product * lines * PATCHES * CONV_LINE;
    tile.out = products + product * PATCHES * vectors * 16;
    conv_prefetch_by(&tile, next);
    conv_compute_tile(&tile, 1, count, vectors, 0);
  }
}

INLINE __m512 finished(const channel_finish *finish, __m512 y, int64_t at, __mmask16 lanes) {
  y = _mm512_fmadd_ps(y, _mm512_loadu_ps(finish->scale), _mm512_loadu_ps(finish->shift));
  const float *residual = finish->residual;
  if (residual != NULL) y = _mm512_add_ps(y, _mm512_maskz_loadu_ps(lanes, residual + at));
  return _mm512_min_ps(_mm512_set1_ps(finish->high), _mm512_max_ps(_mm512_set1_ps(finish->low), y));
}

/* 4 x 4 outputs of 16 channels, fewer at the image's ends; `to` is the place of the first. */
INLINE void finish_patch(
  const winograd_job *job, const float *products, int64_t step, int64_t to, const channel_finish *finish,
  int64_t height, int64_t width, __mmask16 lanes
) {
  const conv_plan *plan = job->plan;
  __m512 half[TO][FROM];
  for (int column = 0; column < FROM; column++) {
    __m512 m[FROM], y[TO];
    for (int row = 0; row < FROM; row++) m[row] = _mm512_load_ps(products + (row * FROM + column) * step);
    transform_products(m, y);
    for (int row = 0; row < TO; row++) half[row][column] = y[row];
  }
  for (int64_t row = 0; row < height; row++) {
    __m512 y[TO];
    transform_products(half[row], y);
    for (int64_t column = 0; column < width; column++) {
      int64_t at = to + row * plan->out_row + column * plan->out_pixel;
      if (finish != NULL) y[column] = finished(finish, y[column], at, lanes);
      _mm512_mask_storeu_ps(job->out + at, lanes, y[column]);
    }
  }
}

static void finish_panel(
  const winograd_job *job, int64_t first, int64_t count, int64_t panel, const float *products
) {
  const conv_plan *plan = job->plan;
  int64_t vectors = panel_vectors(plan, panel), step = PATCHES * vectors * 16;
  for (int64_t i = 0; i < count; i++) {
    int64_t index = first + i, image = index / (job->down * job->across);
    int64_t row = index / job->across % job->down * TO, column = index % job->across * TO;
    int64_t to = image * plan->out_image + row * plan->out_row + column * plan->out_pixel + panel;
    int64_t height = conv_minimum(TO, plan->rows.outputs - row);
    int64_t width = conv_minimum(TO, plan->columns.outputs - column);
    for (int64_t v = 0; v < vectors; v++) {
      int64_t left = plan->outputs - panel - v * 16;
      __mmask16 lanes = left >= 16 ? 0xffff : (__mmask16)((1 << left) - 1);
      channel_finish finish = conv_finish_of(plan, panel + v * 16);
      finish_patch(job, products + (i * vectors + v) * 16, step, to + v * 16,
                   plan->finish == NULL ? NULL : &finish, height, width, lanes);
    }
  }
}

/* Source pixels of the patches from `first` on. */
static conv_prefetch prefetch_of(const winograd_job *job, int64_t first, int64_t count) {
  const conv_plan *plan = job->plan;
  if (count <= 0) return (conv_prefetch){0};
  int64_t last = source_row_of(job, first + count - 1) + FROM, rows = plan->batch * plan->rows.source;
  const char *begin = (const char *)(job->source + source_row_of(job, first) * plan->row);
  const char *end = (const char *)(job->source + conv_minimum(last, rows) * plan->row);
  int64_t tiles = conv_ceil(job->outputs_of_task, CONV_PANEL) * PRODUCTS;
  return conv_prefetch_of(begin, end, tiles * conv_lines(plan));
}

static void run_patches(void *context, int64_t index, int thread) {
  const winograd_job *job = context;
  const conv_plan *plan = job->plan;
  int64_t tasks = conv_ceil(job->total, job->patches_of_task);
  int64_t begin = index % tasks * job->patches_of_task, channel = index / tasks * job->outputs_of_task;
  int64_t end = conv_minimum(begin + job->patches_of_task, job->total);
  int64_t end_channel = conv_minimum(channel + job->outputs_of_task, plan->outputs);
  int64_t packed = PRODUCTS * conv_lines(plan) * PATCHES * 16;
  float *memory = thread_scratch(thread, (size_t)(packed + PRODUCTS * PATCHES * CONV_PANEL) * 4);
  for (int64_t first = begin; first < end; first += PATCHES) {
    int64_t count = conv_minimum(PATCHES, end - first), then = first + count;
    conv_prefetch next = prefetch_of(job, then, conv_minimum(PATCHES, end - then));
    transform_patches(job, first, count, memory);
    for (int64_t panel = channel; panel < end_channel; panel += CONV_PANEL) {
      multiply(job, count, panel, (const char *)memory, memory + packed, &next);
      finish_panel(job, first, count, panel, memory + packed);
    }
  }
}

static int64_t patches_along(const conv_axis *axis) { return conv_ceil(axis->outputs, TO); }

static int axis_suits(const conv_axis *axis) {
  return axis->taps == 3 && axis->stride == 1 && axis->step * axis->step == 1 && axis->outputs >= 3;
}

/* Transformed filters are four times as large: few patches do not pay that back, the less beyond caches. */
int conv_winograd_suits(const conv_plan *plan) {
  if (plan->is_bf16 || !axis_suits(&plan->rows) || !axis_suits(&plan->columns)) return 0;
  int64_t total = plan->batch * patches_along(&plan->rows) * patches_along(&plan->columns);
  int64_t elements = PRODUCTS * plan->depth * plan->outputs;
  return plan->depth >= 16 && plan->outputs >= 16 && total >= (elements > (4 << 20) ? 128 : 16);
}

void conv_winograd_run(const conv_plan *plan, const conv_filter *filter, const float *source, float *out) {
  int64_t lines = conv_lines(plan), panels = conv_ceil(plan->outputs, CONV_PANEL);
  size_t packed = conv_packed_size(plan);
  int is_transformed;
  char *transformed = filter_memory(filter->kept, filter->values, 2, packed / 9 * PRODUCTS, &is_transformed);
  conv_entry *entries = shared_scratch(0, (size_t)lines * sizeof(conv_entry));
  char *direct = shared_scratch(1, packed);
  winograd_job job = {
    .plan = plan,
    .source = source,
    .out = out,
    .direct = direct,
    .filter = transformed,
    .entries = entries,
    .down = patches_along(&plan->rows),
    .across = patches_along(&plan->columns)
  };
  job.total = plan->batch * job.down * job.across;
  int64_t groups = conv_ceil(job.total, PATCHES);
  job.patches_of_task = conv_ceil(groups, CONV_TASKS) * PATCHES;
  job.outputs_of_task = conv_outputs_of_task(plan, groups);
  int64_t parts = conv_ceil(plan->outputs, job.outputs_of_task);
  for (int64_t line = 0; line < lines; line++) {
    int64_t words = conv_minimum(CONV_WORDS, plan->depth - line * CONV_WORDS);
    entries[line] = (conv_entry){line * PATCHES * CONV_LINE, words, line * CONV_WORDS * CONV_LINE};
  }
  if (!is_transformed) {
    conv_pack_filter(plan, filter, direct);
    parallel_run(panels * lines, transform_filter_line, &job);
  }
  parallel_run(conv_ceil(job.total, job.patches_of_task) * parts, run_patches, &job);
}

#endif
