/* Dense convolutions as operations of TensorFlow: float32 filters, activations float32 or bfloat16. */
#include "conv.h"
#include "norm-finish.h"

static void *activations(operation_call *call, const operation_params *params, int64_t height, int64_t width,
                         int64_t channels) {
  const int64_t lengths[] = {params->window.batch, height, width, channels};
  return operation_output(call, 0, params->is_bf16 ? TYPE_BFLOAT16 : TYPE_FLOAT32, lengths, 4);
}

static void forward(operation_call *call, const operation_params *params) {
  const window_shape *shape = &params->window;
  const void *x = operation_input(call, 0, NULL);
  const float *filter = operation_input(call, 1, NULL);
  void *y = activations(call, params, shape->out_height, shape->out_width, shape->outputs);
  if (y == NULL) return;
  kept_filter *kept = params->numbers[0] != 0 ? call->kept : NULL;
  conv_forward(shape, x, filter, y, params->is_bf16, kept, NULL);
}

/* A product of matrices: pixels without neighbours. */
static void product(operation_call *call, const operation_params *params) {
  const window_shape *shape = &params->window;
  const int64_t lengths[] = {shape->batch, shape->outputs};
  const void *a = operation_input(call, 0, NULL);
  const float *b = operation_input(call, 1, NULL);
  void *y = operation_output(call, 0, params->is_bf16 ? TYPE_BFLOAT16 : TYPE_FLOAT32, lengths, 2);
  if (y != NULL) conv_forward(shape, a, b, y, params->is_bf16, call->kept, NULL);
}

/* The normalisation with it. */
static void forward_norm(operation_call *call, const operation_params *params, int has_residual) {
  const window_shape *shape = &params->window;
  const void *x = operation_input(call, 0, NULL);
  const float *filter = operation_input(call, 1, NULL);
  channel_finish finish =
    norm_finish(call, params, (finish_place){INPUT_GAMMA, 0}, shape->outputs, SLOT_FINISH);
  if (has_residual) finish.residual = operation_input(call, INPUT_RESIDUAL, NULL);
  void *z = activations(call, params, shape->out_height, shape->out_width, shape->outputs);
  if (z == NULL) return;
  kept_filter *kept = params->numbers[NUM_FINISH_NUMBERS] != 0 ? call->kept : NULL;
  conv_forward(shape, x, filter, z, params->is_bf16, kept, &finish);
}

static void norm_plain(operation_call *call, const operation_params *params) {
  forward_norm(call, params, 0);
}

static void norm_residual(operation_call *call, const operation_params *params) {
  forward_norm(call, params, 1);
}

static void input_gradient(operation_call *call, const operation_params *params) {
  const window_shape *shape = &params->window;
  const void *dy = operation_input(call, 0, NULL);
  const float *filter = operation_input(call, 1, NULL);
  void *dx = activations(call, params, shape->height, shape->width, shape->inputs);
  if (dx == NULL) return;
  if (params->is_bf16) conv_input_gradient_bf16(shape, dy, filter, dx);
  else conv_input_gradient_f32(shape, dy, filter, dx);
}

static void filter_gradient(operation_call *call, const operation_params *params) {
  const window_shape *shape = &params->window;
  const void *x = operation_input(call, 0, NULL);
  const void *dy = operation_input(call, 1, NULL);
  const int64_t lengths[] = {shape->filter_height, shape->filter_width, shape->inputs, shape->outputs};
  float *gradient = operation_output(call, 0, TYPE_FLOAT32, lengths, 4);
  if (gradient == NULL) return;
  if (params->is_bf16) conv_filter_gradient_bf16(shape, x, dy, gradient);
  else conv_filter_gradient_f32(shape, x, dy, gradient);
}

int conv_operations_register(TF_Status *status) {
  static const operation_definition definitions[] = {
      {"Conv2D", {"x: T", "filter: float"}, {"y: T"}, {"variable"}, 1, forward},
      {"MatMul", {"a: T", "b: float"}, {"y: T"}, {0}, 1, product},
      {"Conv2DNorm", {"x: T", "filter: float", FINISH_INPUTS}, {"z: T"}, {FINISH_NUMBERS, "variable"}, 1,
       norm_plain},
      {"Conv2DNormResidual", {"x: T", "filter: float", FINISH_INPUTS, "residual: T"}, {"z: T"},
       {FINISH_NUMBERS, "variable"}, 1, norm_residual},
      {"Conv2DInputGradient", {"dy: T", "filter: float"}, {"dx: T"}, {0}, 1, input_gradient},
      {"Conv2DFilterGradient", {"x: T", "dy: T"}, {"dfilter: float"}, {0}, 1, filter_gradient},
  };
  for (unsigned i = 0; i < sizeof definitions / sizeof *definitions; i++) {
    if (operation_register(&definitions[i], status) != 0) return 1;
  }
  return 0;
}
