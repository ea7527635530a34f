/* Depthwise separable convolutions, normalised after each half, as operations of TensorFlow. */
#include "norm-finish.h"
#include "separable.h"

/* Inputs as they are recorded: those of the depthwise half, then the pointwise filter and what follows it. */
enum {
  INPUT_DEPTHWISE = 1,
  INPUT_BETWEEN,
  INPUT_POINTWISE = INPUT_BETWEEN + NUM_FINISH_INPUTS,
  INPUT_AFTER,
  INPUT_LAST_RESIDUAL = INPUT_AFTER + NUM_FINISH_INPUTS
};
#define INPUTS \
  "x: T", "depthwise: float", "gamma_between: float", "beta_between: float", "mean_between: float", \
    "variance_between: float", "pointwise: float", FINISH_INPUTS

enum { NUMBER_BETWEEN, NUMBER_AFTER = NUM_FINISH_NUMBERS, NUMBER_VARIABLE = 2 * NUM_FINISH_NUMBERS };
#define NUMBERS {"epsilon_between", "activation_between", FINISH_NUMBERS, "variable"}

/* Beside the slots of both halves. */
enum { SLOT_BETWEEN = 6 };

static void forward(operation_call *call, const operation_params *params, int has_residual) {
  const window_shape *shape = &params->window;
  const int64_t lengths[] = {shape->batch, shape->out_height, shape->out_width, shape->outputs};
  const void *x = operation_input(call, 0, NULL);
  const finish_place between = {INPUT_BETWEEN, NUMBER_BETWEEN}, after = {INPUT_AFTER, NUMBER_AFTER};
  separable_filters filters = {
      .depthwise = operation_input(call, INPUT_DEPTHWISE, NULL),
      .pointwise = operation_input(call, INPUT_POINTWISE, NULL),
      .between = norm_finish(call, params, between, shape->inputs, SLOT_BETWEEN),
      .after = norm_finish(call, params, after, shape->outputs, SLOT_FINISH),
  };
  if (has_residual) filters.after.residual = operation_input(call, INPUT_LAST_RESIDUAL, NULL);
  void *z = operation_output(call, 0, params->is_bf16 ? TYPE_BFLOAT16 : TYPE_FLOAT32, lengths, 4);
  if (z == NULL) return;
  kept_filter *kept = params->numbers[NUMBER_VARIABLE] != 0 ? call->kept : NULL;
  separable_forward(shape, x, &filters, z, params->is_bf16, kept);
}

static void plain(operation_call *call, const operation_params *params) { forward(call, params, 0); }

static void with_residual(operation_call *call, const operation_params *params) { forward(call, params, 1); }

int separable_operations_register(TF_Status *status) {
  static const operation_definition definitions[] = {
      {"SeparableConv2DNorm", {INPUTS}, {"z: T"}, NUMBERS, 1, plain},
      {"SeparableConv2DNormResidual", {INPUTS, "residual: T"}, {"z: T"}, NUMBERS, 1, with_residual},
  };
  for (unsigned i = 0; i < sizeof definitions / sizeof *definitions; i++) {
    if (operation_register(&definitions[i], status) != 0) return 1;
  }
  return 0;
}
