/* Batch normalisation as operations of TensorFlow: those named `...Residual` add a tensor first. */
#include "batch-norm.h"
#include "operations.h"

enum { NUMBER_EPSILON, NUMBER_ACTIVATION };

static int type_of(const operation_params *params) { return params->is_bf16 ? TYPE_BFLOAT16 : TYPE_FLOAT32; }

/* Of an operation whose inputs `x` and `gamma` have these indices. */
static batch_norm_shape shape_of(operation_call *call, const operation_params *params, int x, int gamma) {
  batch_norm_shape shape = {.type = params->is_bf16 ? BFLOAT16 : FLOAT32};
  int64_t elements = 0;
  operation_input(call, x, &elements);
  operation_input(call, gamma, &shape.channels);
  shape.rows = shape.channels == 0 ? 0 : elements / shape.channels;
  shape.after = (activation)params->numbers[NUMBER_ACTIVATION];
  shape.epsilon = params->numbers[NUMBER_EPSILON];
  return shape;
}

static void training(operation_call *call, const operation_params *params, int has_residual) {
  const batch_norm_shape shape = shape_of(call, params, 0, 1);
  const void *x = operation_input(call, 0, NULL);
  const float *gamma = operation_input(call, 1, NULL), *beta = operation_input(call, 2, NULL);
  const void *residual = has_residual ? operation_input(call, 3, NULL) : NULL;
  void *z = operation_output_like(call, 0, type_of(params), 0);
  float *mean = operation_output_like(call, 1, TYPE_FLOAT32, 1);
  float *variance = operation_output_like(call, 2, TYPE_FLOAT32, 1);
  float *inverse_deviation = operation_output_like(call, 3, TYPE_FLOAT32, 1);
  if (inverse_deviation == NULL || shape.rows == 0) return;
  batch_norm_training(&shape, x, gamma, beta, residual, z, mean, variance, inverse_deviation);
}

static void inference(operation_call *call, const operation_params *params, int has_residual) {
  const batch_norm_shape shape = shape_of(call, params, 0, 1);
  const void *x = operation_input(call, 0, NULL);
  const float *gamma = operation_input(call, 1, NULL), *beta = operation_input(call, 2, NULL);
  const float *mean = operation_input(call, 3, NULL), *variance = operation_input(call, 4, NULL);
  const void *residual = has_residual ? operation_input(call, 5, NULL) : NULL;
  void *z = operation_output_like(call, 0, type_of(params), 0);
  if (z == NULL || shape.rows == 0) return;
  batch_norm_inference(&shape, x, gamma, beta, mean, variance, residual, z);
}

/* Of both; `spread` is what the forward pass knows of it: the inverse deviation, or the given variance. */
static void gradient(operation_call *call, const operation_params *params, int has_residual, int given) {
  const batch_norm_shape shape = shape_of(call, params, 1, 2);
  const void *dz = operation_input(call, 0, NULL), *x = operation_input(call, 1, NULL);
  const float *gamma = operation_input(call, 2, NULL), *beta = operation_input(call, 3, NULL);
  const float *mean = operation_input(call, 4, NULL), *spread = operation_input(call, 5, NULL);
  const void *z = has_residual ? operation_input(call, 6, NULL) : NULL;
  void *dx = operation_output_like(call, 0, type_of(params), 1);
  float *dgamma = operation_output_like(call, 1, TYPE_FLOAT32, 2);
  float *dbeta = operation_output_like(call, 2, TYPE_FLOAT32, 2);
  void *dresidual = has_residual ? operation_output_like(call, 3, type_of(params), 0) : NULL;
  if (dbeta == NULL || (has_residual && dresidual == NULL) || shape.rows == 0) return;
  if (given) {
    batch_norm_inference_gradient(&shape, dz, x, z, gamma, beta, mean, spread, dx, dgamma, dbeta, dresidual);
  } else {
    batch_norm_gradient(&shape, dz, x, z, gamma, beta, mean, spread, dx, dgamma, dbeta, dresidual);
  }
}

#define BODY(name, act) \
  static void name(operation_call *call, const operation_params *params) { act; }
BODY(training_plain, training(call, params, 0))
BODY(training_residual, training(call, params, 1))
BODY(inference_plain, inference(call, params, 0))
BODY(inference_residual, inference(call, params, 1))
BODY(gradient_plain, gradient(call, params, 0, 0))
BODY(gradient_residual, gradient(call, params, 1, 0))
BODY(inference_gradient_plain, gradient(call, params, 0, 1))
BODY(inference_gradient_residual, gradient(call, params, 1, 1))

#define PARAMETERS "gamma: float", "beta: float"
#define SAVED "mean: float", "inverse_deviation: float"
#define GIVEN "mean: float", "variance: float"
#define STATISTICS "mean: float", "variance: float", "inverse_deviation: float"
#define GRADIENTS "dx: T", "dgamma: float", "dbeta: float"
#define NUMBERS {"epsilon", "activation"}

int batch_norm_operations_register(TF_Status *status) {
  static const operation_definition definitions[] = {
      {"BatchNorm", {"x: T", PARAMETERS}, {"z: T", STATISTICS}, NUMBERS, 0, training_plain},
      {"BatchNormResidual", {"x: T", PARAMETERS, "residual: T"}, {"z: T", STATISTICS}, NUMBERS, 0,
       training_residual},
      {"BatchNormGradient", {"dz: T", "x: T", PARAMETERS, SAVED}, {GRADIENTS}, NUMBERS, 0, gradient_plain},
      {"BatchNormResidualGradient", {"dz: T", "x: T", PARAMETERS, SAVED, "z: T"}, {GRADIENTS, "dresidual: T"},
       NUMBERS, 0, gradient_residual},
      {"BatchNormInference", {"x: T", PARAMETERS, GIVEN}, {"z: T"}, NUMBERS, 0, inference_plain},
      {"BatchNormInferenceResidual", {"x: T", PARAMETERS, GIVEN, "residual: T"}, {"z: T"}, NUMBERS, 0,
       inference_residual},
      {"BatchNormInferenceGradient", {"dz: T", "x: T", PARAMETERS, GIVEN}, {GRADIENTS}, NUMBERS, 0,
       inference_gradient_plain},
      {"BatchNormInferenceResidualGradient", {"dz: T", "x: T", PARAMETERS, GIVEN, "z: T"},
       {GRADIENTS, "dresidual: T"}, NUMBERS, 0, inference_gradient_residual},
  };
  for (unsigned i = 0; i < sizeof definitions / sizeof *definitions; i++) {
    if (operation_register(&definitions[i], status) != 0) return 1;
  }
  return 0;
}
