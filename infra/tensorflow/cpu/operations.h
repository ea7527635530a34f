/*
 * How our kernels become operations of TensorFlow: the part of its C API for kernels (its `kernels.h` and
 * `ops.h`), declared here since its headers are not at hand, and what all operations need.
 */
#ifndef DISTILLERY_OPERATIONS_H
#define DISTILLERY_OPERATIONS_H

#include "kept-filter.h"

typedef struct TF_Status TF_Status;
typedef struct TF_Tensor TF_Tensor;
typedef struct TF_OpKernelConstruction TF_OpKernelConstruction;
typedef struct TF_OpKernelContext TF_OpKernelContext;

/* `TF_DataType` */
enum { TYPE_FLOAT32 = 1, TYPE_BFLOAT16 = 14 };

/* An operation under execution: its inputs, its outputs, and whether something went wrong. */
typedef struct {
  TF_OpKernelContext *context;
  TF_Status *status;
  /* Of this node. */
  kept_filter *kept;
} operation_call;

#define MAX_OPERATION_TENSORS 12
#define MAX_OPERATION_NUMBERS 5

/* What an operation keeps from its attributes. */
typedef struct {
  /* The attribute `T`, the type of its activations. */
  int is_bf16;
  /* The attribute `window`; see `window_from`. */
  window_shape window;
  /* Further attributes, in the order in which the operation's `numbers` name them. */
  float numbers[MAX_OPERATION_NUMBERS];
} operation_params;

typedef void (*operation_body)(operation_call *, const operation_params *);

/*
 * An operation `Distillery<Name>` for float32 and bfloat16 on the CPU. `inputs` and `outputs` are written as
 * TensorFlow does ("x: T", "filter: float"); `numbers` are float attributes.
 */
typedef struct {
  const char *name;
  const char *inputs[MAX_OPERATION_TENSORS];
  const char *outputs[MAX_OPERATION_TENSORS];
  const char *numbers[MAX_OPERATION_NUMBERS];
  int has_window;
  operation_body body;
} operation_definition;

/* Tells TensorFlow of it. 0, or the message is in `status`. */
int operation_register(const operation_definition *, TF_Status *status);

/* The elements of an input; alive until the call ends. Its number of elements, if `count` is not NULL. */
const void *operation_input(operation_call *, int index, int64_t *count);
/* Memory for an output of these lengths. NULL if there is none, which the call then reports. */
void *operation_output(operation_call *, int index, int type, const int64_t *lengths, int rank);
/* Memory for an output shaped like an input. */
void *operation_output_like(operation_call *, int index, int type, int input);

/* One function a family of operations, called by `operations_register`. */
int conv_operations_register(TF_Status *status);
int batch_norm_operations_register(TF_Status *status);
int elementwise_operations_register(TF_Status *status);
int depthwise_operations_register(TF_Status *status);
int separable_operations_register(TF_Status *status);
int pool_operations_register(TF_Status *status);
int global_mean_operations_register(TF_Status *status);

#endif
