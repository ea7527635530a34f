/* The sum of two tensors of one shape, such as gradients that meet. */
#include "elementwise.h"

#define TASK 65536

typedef struct {
  element type;
  int64_t elements;
  const void *a, *b;
  void *sum;
} add_work;

INLINE void add_range(const add_work *work, element type, int64_t at, int64_t end) {
  for (; at + LANES <= end; at += LANES) {
    lanes a = lanes_load(work->a, at, type), b = lanes_load(work->b, at, type);
    lanes_store(work->sum, at, lanes_add(a, b), type);
  }
  for (; at < end; at++) {
    store_one(work->sum, at, load_one(work->a, at, type) + load_one(work->b, at, type), type);
  }
}

static void run_add(void *context, int64_t index, int thread) {
  const add_work *work = context;
  (void)thread;
  const int64_t at = index * TASK, end = end_of(at, TASK, work->elements);
  if (work->type == FLOAT32) add_range(work, FLOAT32, at, end);
  else add_range(work, BFLOAT16, at, end);
}

/* All have `elements` numbers; `sum` may be the memory of a or b. */
void add_tensors(element type, int64_t elements, const void *a, const void *b, void *sum) {
  add_work work = {type, elements, a, b, sum};
  parallel_run((elements + TASK - 1) / TASK, run_add, &work);
}
