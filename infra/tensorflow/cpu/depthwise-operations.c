/* Depthwise convolutions as operations of TensorFlow: float32 filters, activations float32 or bfloat16. */
#include "depthwise.h"
#include "norm-finish.h"

static void *activations(operation_call *call, const operation_params *params, int64_t height,
                         int64_t width) {
  const int64_t lengths[] = {params->window.batch, height, width, params->window.inputs};
  return operation_output(call, 0, params->is_bf16 ? TYPE_BFLOAT16 : TYPE_FLOAT32, lengths, 4);
}

static void forward(operation_call *call, const operation_params *params) {
  const window_shape *shape = &params->window;
  const void *x = operation_input(call, 0, NULL);
  const float *filter = operation_input(call, 1, NULL);
  void *y = activations(call, params, shape->out_height, shape->out_width);
  if (y == NULL) return;
  if (params->is_bf16) depthwise_forward_bf16(shape, x, filter, y);
  else depthwise_forward_f32(shape, x, filter, y);
}

static void forward_norm(operation_call *call, const operation_params *params) {
  const window_shape *shape = &params->window;
  const void *x = operation_input(call, 0, NULL);
  const float *filter = operation_input(call, 1, NULL);
  const channel_finish finish =
      norm_finish(call, params, (finish_place){INPUT_GAMMA, 0}, shape->outputs, SLOT_FINISH);
  void *z = activations(call, params, shape->out_height, shape->out_width);
  if (z != NULL) depthwise_forward_finished(shape, x, filter, z, params->is_bf16, &finish);
}

static void input_gradient(operation_call *call, const operation_params *params) {
  const window_shape *shape = &params->window;
  const void *dy = operation_input(call, 0, NULL);
  const float *filter = operation_input(call, 1, NULL);
  void *dx = activations(call, params, shape->height, shape->width);
  if (dx == NULL) return;
  if (params->is_bf16) depthwise_input_gradient_bf16(shape, dy, filter, dx);
  else depthwise_input_gradient_f32(shape, dy, filter, dx);
}

static void filter_gradient(operation_call *call, const operation_params *params) {
  const window_shape *shape = &params->window;
  const void *x = operation_input(call, 0, NULL);
  const void *dy = operation_input(call, 1, NULL);
  const int64_t lengths[] = {shape->filter_height, shape->filter_width, shape->inputs, 1};
  float *gradient = operation_output(call, 0, TYPE_FLOAT32, lengths, 4);
  if (gradient == NULL) return;
  if (params->is_bf16) depthwise_filter_gradient_bf16(shape, x, dy, gradient);
  else depthwise_filter_gradient_f32(shape, x, dy, gradient);
}

int depthwise_operations_register(TF_Status *status) {
  static const operation_definition definitions[] = {
      {"DepthwiseConv2D", {"x: T", "filter: float"}, {"y: T"}, {0}, 1, forward},
      {"DepthwiseConv2DNorm", {"x: T", "filter: float", FINISH_INPUTS}, {"z: T"}, {FINISH_NUMBERS}, 1,
       forward_norm},
      {"DepthwiseConv2DInputGradient", {"dy: T", "filter: float"}, {"dx: T"}, {0}, 1, input_gradient},
      {"DepthwiseConv2DFilterGradient", {"x: T", "dy: T"}, {"dfilter: float"}, {0}, 1, filter_gradient},
  };
  for (unsigned i = 0; i < sizeof definitions / sizeof *definitions; i++) {
    if (operation_register(&definitions[i], status) != 0) return 1;
  }
  return 0;
}
