/* Means over all pixels as operations of TensorFlow. */
#include "global-mean.h"
#include "operations.h"

enum { NUMBER_HEIGHT, NUMBER_WIDTH, NUMBER_CHANNELS };

/* Of an operation whose input has `pixels` numbers for each image and channel. */
static global_mean_shape shape_of(const operation_params *params, int64_t elements, int64_t pixels) {
  global_mean_shape shape = {.type = params->is_bf16 ? BFLOAT16 : FLOAT32};
  shape.pixels = (int64_t)params->numbers[NUMBER_HEIGHT] * (int64_t)params->numbers[NUMBER_WIDTH];
  shape.channels = (int64_t)params->numbers[NUMBER_CHANNELS];
  shape.batch = elements / (shape.channels * (pixels == 0 ? shape.pixels : pixels));
  return shape;
}

static void mean(operation_call *call, const operation_params *params) {
  int64_t elements = 0;
  const void *x = operation_input(call, 0, &elements);
  const global_mean_shape shape = shape_of(params, elements, 0);
  const int64_t lengths[] = {shape.batch, shape.channels};
  float *means = operation_output(call, 0, TYPE_FLOAT32, lengths, 2);
  if (means != NULL) global_mean(&shape, x, means);
}

static void gradient(operation_call *call, const operation_params *params) {
  int64_t elements = 0;
  const float *dy = operation_input(call, 0, &elements);
  const global_mean_shape shape = shape_of(params, elements, 1);
  const int64_t height = (int64_t)params->numbers[NUMBER_HEIGHT];
  const int64_t width = (int64_t)params->numbers[NUMBER_WIDTH];
  const int64_t lengths[] = {shape.batch, height, width, shape.channels};
  void *dx = operation_output(call, 0, params->is_bf16 ? TYPE_BFLOAT16 : TYPE_FLOAT32, lengths, 4);
  if (dx != NULL) global_mean_gradient(&shape, dy, dx);
}

#define NUMBERS {"height", "width", "channels"}

int global_mean_operations_register(TF_Status *status) {
  static const operation_definition definitions[] = {
      {"GlobalMean", {"x: T"}, {"mean: float"}, NUMBERS, 0, mean},
      {"GlobalMeanGradient", {"dy: float"}, {"dx: T"}, NUMBERS, 0, gradient},
  };
  for (unsigned i = 0; i < sizeof definitions / sizeof *definitions; i++) {
    if (operation_register(&definitions[i], status) != 0) return 1;
  }
  return 0;
}
