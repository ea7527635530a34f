#include "norm-finish.h"
#include "batch-norm.h"

/* Convolutions have the first ones for themselves. */
enum { SLOT_FINISH = 3 };

channel_finish norm_finish(operation_call *call, const operation_params *params) {
  const int64_t channels = params->window.outputs;
  const int64_t padded = (channels + FINISH_PANEL - 1) / FINISH_PANEL * FINISH_PANEL;
  const float *numbers[INPUT_RESIDUAL];
  for (int i = INPUT_GAMMA; i < INPUT_RESIDUAL; i++) numbers[i] = operation_input(call, i, NULL);
  float *scale = shared_scratch(SLOT_FINISH, (size_t)(2 * padded) * sizeof(float)), *shift = scale + padded;
  const activation after = (activation)params->numbers[NUMBER_ACTIVATION];
  batch_norm_scales(channels, params->numbers[NUMBER_EPSILON], numbers[INPUT_GAMMA], numbers[INPUT_BETA],
                    numbers[INPUT_MEAN], numbers[INPUT_VARIANCE], scale, shift);
  return (channel_finish){.scale = scale, .shift = shift, .low = low_of(after), .high = high_of(after)};
}
