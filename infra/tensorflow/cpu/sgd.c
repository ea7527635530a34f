/*
 * One step of stochastic gradient descent with Nesterov's momentum, as lib/tensor/sgd.ts has it:
 * g' = g + decay * w, v' = momentum * v + g', w' = w - rate * (g' + momentum * v').
 *
 * Every product is rounded before it is added, as operations one after another round.
 */
#include "elementwise.h"

#define TASK 32768

typedef struct {
  int64_t elements;
  const float *weight, *velocity, *gradient;
  float *new_weight, *new_velocity;
  float rate, momentum, decay;
} sgd_work;

/* A product that the compiler may not fuse with the sum it goes into. */
INLINE lanes product(lanes a, lanes b) {
  lanes rounded = lanes_mul(a, b);
#if defined(__AVX512F__)
  __asm__("" : "+v"(rounded));
#endif
  return rounded;
}

INLINE float product_one(float a, float b) {
  volatile float rounded = a * b;
  return rounded;
}

INLINE void update_lanes(const sgd_work *work, int64_t at) {
  lanes momentum = lanes_of(work->momentum);
  lanes weight = lanes_load(work->weight, at, FLOAT32);
  lanes decayed = lanes_load(work->gradient, at, FLOAT32);
  if (work->decay != 0) decayed = lanes_add(decayed, product(weight, lanes_of(work->decay)));
  lanes moved = lanes_add(product(lanes_load(work->velocity, at, FLOAT32), momentum), decayed);
  lanes direction = lanes_add(decayed, product(moved, momentum));
  lanes_store(work->new_velocity, at, moved, FLOAT32);
  lanes_store(work->new_weight, at, lanes_sub(weight, product(direction, lanes_of(work->rate))), FLOAT32);
}

INLINE void update_one(const sgd_work *work, int64_t at) {
  const float weight = work->weight[at];
  float decayed = work->gradient[at];
  if (work->decay != 0) decayed += product_one(weight, work->decay);
  const float moved = product_one(work->velocity[at], work->momentum) + decayed;
  const float direction = decayed + product_one(moved, work->momentum);
  work->new_velocity[at] = moved;
  work->new_weight[at] = weight - product_one(direction, work->rate);
}

static void run_update(void *context, int64_t index, int thread) {
  const sgd_work *work = context;
  (void)thread;
  int64_t at = index * TASK;
  const int64_t end = end_of(at, TASK, work->elements);
  for (; at + LANES <= end; at += LANES) update_lanes(work, at);
  for (; at < end; at++) update_one(work, at);
}

/* All arrays have `elements` numbers; the new ones may be the old ones' memory. */
void sgd_update(int64_t elements, const float *weight, const float *velocity, const float *gradient,
                float rate, float momentum, float decay, float *new_weight, float *new_velocity) {
  sgd_work work = {.elements = elements, .weight = weight, .velocity = velocity, .gradient = gradient};
  work.new_weight = new_weight;
  work.new_velocity = new_velocity;
  work.rate = rate;
  work.momentum = momentum;
  work.decay = decay;
  parallel_run((elements + TASK - 1) / TASK, run_update, &work);
}
