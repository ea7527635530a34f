/*
 * What every kernel of ours for CPUs sees: element types, shapes, threads, scratch memory.
 *
 * Tensors are dense and row-major, images [N, H, W, C], filters [H, W, in, out]. `bf16` holds the upper half
 * of a float32, rounded to nearest even. Sums are always kept in float32.
 */
#ifndef DISTILLERY_KERNELS_H
#define DISTILLERY_KERNELS_H

#include <stddef.h>
#include <stdint.h>

typedef uint16_t bf16;

/* One convolution or pooling; for the latter and for depthwise convolutions `outputs` equals `inputs`. */
typedef struct {
  int64_t batch, height, width, inputs;
  int64_t out_height, out_width, outputs;
  int64_t filter_height, filter_width;
  int64_t stride_height, stride_width;
  /* Zeros before the first row and column; those after the last follow from the other numbers. */
  int64_t pad_top, pad_left;
  int64_t dilation_height, dilation_width;
} window_shape;

/*
 * Runs `run(context, index, thread)` for every index below `tasks`, on all threads, and returns when all are
 * done. Who runs which index is not fixed, so a result may depend on the tasks alone: cut the work by its
 * shape, never by the number of threads, and sum partial results in the order of their indices. `thread` is
 * below `parallel_threads()` and says whose scratch memory to use. Regions do not nest.
 */
typedef void (*parallel_task)(void *context, int64_t index, int thread);
void parallel_run(int64_t tasks, parallel_task run, void *context);
int parallel_threads(void);

/*
 * Memory aligned to 64 bytes, uninitialised, kept until the process ends and valid until the next request for
 * the same slot: one for each thread, and some for an operation as a whole. Of ours, one runs at a time.
 */
void *thread_scratch(int thread, size_t bytes);
void *shared_scratch(int slot, size_t bytes);
#define SHARED_SCRATCH_SLOTS 8

#endif
