/* Sums and updates as operations of TensorFlow. */
#include "elementwise.h"
#include "operations.h"

static void add(operation_call *call, const operation_params *params) {
  int64_t elements = 0;
  const void *a = operation_input(call, 0, &elements), *b = operation_input(call, 1, NULL);
  void *sum = operation_output_like(call, 0, params->is_bf16 ? TYPE_BFLOAT16 : TYPE_FLOAT32, 0);
  if (sum == NULL) return;
  add_tensors(params->is_bf16 ? BFLOAT16 : FLOAT32, elements, a, b, sum);
}

enum { NUMBER_MOMENTUM, NUMBER_DECAY };

static void sgd(operation_call *call, const operation_params *params) {
  int64_t elements = 0;
  const float *weight = operation_input(call, 0, &elements), *velocity = operation_input(call, 1, NULL);
  const float *gradient = operation_input(call, 2, NULL), *rate = operation_input(call, 3, NULL);
  float *new_weight = operation_output_like(call, 0, TYPE_FLOAT32, 0);
  float *new_velocity = operation_output_like(call, 1, TYPE_FLOAT32, 0);
  if (new_velocity == NULL) return;
  sgd_update(elements, weight, velocity, gradient, *rate, params->numbers[NUMBER_MOMENTUM],
             params->numbers[NUMBER_DECAY], new_weight, new_velocity);
}

int elementwise_operations_register(TF_Status *status) {
  static const operation_definition definitions[] = {
      {"Add", {"a: T", "b: T"}, {"sum: T"}, {0}, 0, add},
      {"Sgd", {"weight: T", "velocity: T", "gradient: T", "rate: T"}, {"new_weight: T", "new_velocity: T"},
       {"momentum", "decay"}, 0, sgd},
  };
  for (unsigned i = 0; i < sizeof definitions / sizeof *definitions; i++) {
    if (operation_register(&definitions[i], status) != 0) return 1;
  }
  return 0;
}
