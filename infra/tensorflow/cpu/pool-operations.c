/* Pooling as operations of TensorFlow, for float32 and bfloat16. */
#include "operations.h"
#include "pool.h"

static void *activations(operation_call *call, const operation_params *params, int64_t height,
                         int64_t width) {
  const int64_t lengths[] = {params->window.batch, height, width, params->window.inputs};
  return operation_output(call, 0, params->is_bf16 ? TYPE_BFLOAT16 : TYPE_FLOAT32, lengths, 4);
}

static void max_pool(operation_call *call, const operation_params *params) {
  const window_shape *shape = &params->window;
  const void *x = operation_input(call, 0, NULL);
  void *y = activations(call, params, shape->out_height, shape->out_width);
  if (y == NULL) return;
  if (params->is_bf16) max_pool_forward_bf16(shape, x, y);
  else max_pool_forward_f32(shape, x, y);
}

static void max_pool_gradient(operation_call *call, const operation_params *params) {
  const window_shape *shape = &params->window;
  const void *x = operation_input(call, 0, NULL);
  const void *dy = operation_input(call, 1, NULL);
  void *dx = activations(call, params, shape->height, shape->width);
  if (dx == NULL) return;
  if (params->is_bf16) max_pool_gradient_bf16(shape, x, dy, dx);
  else max_pool_gradient_f32(shape, x, dy, dx);
}

static void average_pool(operation_call *call, const operation_params *params) {
  const window_shape *shape = &params->window;
  const void *x = operation_input(call, 0, NULL);
  void *y = activations(call, params, shape->out_height, shape->out_width);
  if (y == NULL) return;
  if (params->is_bf16) average_pool_forward_bf16(shape, x, y);
  else average_pool_forward_f32(shape, x, y);
}

static void average_pool_gradient(operation_call *call, const operation_params *params) {
  const window_shape *shape = &params->window;
  const void *dy = operation_input(call, 0, NULL);
  void *dx = activations(call, params, shape->height, shape->width);
  if (dx == NULL) return;
  if (params->is_bf16) average_pool_gradient_bf16(shape, dy, dx);
  else average_pool_gradient_f32(shape, dy, dx);
}

int pool_operations_register(TF_Status *status) {
  static const operation_definition definitions[] = {
      {"MaxPool", {"x: T"}, {"y: T"}, {0}, 1, max_pool},
      {"MaxPoolGradient", {"x: T", "dy: T"}, {"dx: T"}, {0}, 1, max_pool_gradient},
      {"AveragePool", {"x: T"}, {"y: T"}, {0}, 1, average_pool},
      {"AveragePoolGradient", {"dy: T"}, {"dx: T"}, {0}, 1, average_pool_gradient},
  };
  for (unsigned i = 0; i < sizeof definitions / sizeof *definitions; i++) {
    if (operation_register(&definitions[i], status) != 0) return 1;
  }
  return 0;
}
