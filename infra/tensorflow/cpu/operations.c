/* The registration of our operations with TensorFlow, and their dealings with its tensors. */
#include "operations.h"

#include "arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct TF_OpDefinitionBuilder TF_OpDefinitionBuilder;
typedef struct TF_KernelBuilder TF_KernelBuilder;
typedef struct TF_ShapeInferenceContext TF_ShapeInferenceContext;

extern TF_Status *TF_NewStatus(void);
extern void TF_DeleteStatus(TF_Status *);
extern int TF_GetCode(const TF_Status *);
extern TF_OpDefinitionBuilder *TF_NewOpDefinitionBuilder(const char *);
extern void TF_OpDefinitionBuilderAddAttr(TF_OpDefinitionBuilder *, const char *);
extern void TF_OpDefinitionBuilderAddInput(TF_OpDefinitionBuilder *, const char *);
extern void TF_OpDefinitionBuilderAddOutput(TF_OpDefinitionBuilder *, const char *);
extern void TF_OpDefinitionBuilderSetShapeInferenceFunction(
    TF_OpDefinitionBuilder *, void (*)(TF_ShapeInferenceContext *, TF_Status *));
extern void TF_RegisterOpDefinition(TF_OpDefinitionBuilder *, TF_Status *);
extern void TF_ShapeInferenceContextSetUnknownShape(TF_ShapeInferenceContext *, TF_Status *);
extern TF_KernelBuilder *TF_NewKernelBuilder(const char *, const char *, void *(*)(TF_OpKernelConstruction *),
                                             void (*)(void *, TF_OpKernelContext *), void (*)(void *));
extern void TF_KernelBuilder_TypeConstraint(TF_KernelBuilder *, const char *, int, TF_Status *);
extern void TF_RegisterKernelBuilder(const char *, TF_KernelBuilder *, TF_Status *);
extern void TF_OpKernelConstruction_GetAttrType(TF_OpKernelConstruction *, const char *, int *, TF_Status *);
extern void TF_OpKernelConstruction_GetAttrFloat(TF_OpKernelConstruction *, const char *, float *,
                                                 TF_Status *);
extern void TF_OpKernelConstruction_GetAttrInt64List(TF_OpKernelConstruction *, const char *, int64_t *, int,
                                                     TF_Status *);
extern void TF_OpKernelConstruction_Failure(TF_OpKernelConstruction *, TF_Status *);
extern void TF_OpKernelContext_Failure(TF_OpKernelContext *, TF_Status *);
extern void TF_GetInput(TF_OpKernelContext *, int, TF_Tensor **, TF_Status *);
extern TF_Tensor *TF_AllocateOutput(TF_OpKernelContext *, int, int, const int64_t *, int, size_t,
                                    TF_Status *);
extern void TF_SetOutput(TF_OpKernelContext *, int, const TF_Tensor *, TF_Status *);
extern TF_Tensor *TF_NewTensor(int, const int64_t *, int, void *, size_t, void (*)(void *, size_t, void *),
                               void *);
extern TF_Tensor *TF_AllocateTensor(int, const int64_t *, int, size_t);
extern void *TF_TensorData(const TF_Tensor *);
extern int64_t TF_TensorElementCount(const TF_Tensor *);
extern int TF_NumDims(const TF_Tensor *);
extern int64_t TF_Dim(const TF_Tensor *, int);
extern void TF_DeleteTensor(TF_Tensor *);

void operation_begin(void);
void operation_end(void);

/* A kernel's creation knows only its node; which definition it belongs to is in the function it was given. */
#define MAX_OPERATIONS 32
static const operation_definition *definitions[MAX_OPERATIONS];
static int definition_count;

typedef struct {
  const operation_definition *definition;
  operation_params params;
  kept_filter kept;
} kernel_state;

static void *create(const operation_definition *definition, TF_OpKernelConstruction *construction) {
  TF_Status *status = TF_NewStatus();
  kernel_state *state = calloc(1, sizeof *state);
  state->definition = definition;
  int type = 0;
  TF_OpKernelConstruction_GetAttrType(construction, "T", &type, status);
  state->params.is_bf16 = type == TYPE_BFLOAT16;
  for (int i = 0; i < MAX_OPERATION_NUMBERS && definition->numbers[i] != NULL; i++) {
    if (TF_GetCode(status) != 0) break;
    float *number = &state->params.numbers[i];
    TF_OpKernelConstruction_GetAttrFloat(construction, definition->numbers[i], number, status);
  }
  if (definition->has_window && TF_GetCode(status) == 0) {
    /* The struct is nothing but numbers of 64 bits, in the order in which the attribute lists them. */
    const int fields = sizeof(window_shape) / sizeof(int64_t);
    TF_OpKernelConstruction_GetAttrInt64List(construction, "window", (int64_t *)&state->params.window, fields,
                                             status);
  }
  if (TF_GetCode(status) != 0) TF_OpKernelConstruction_Failure(construction, status);
  TF_DeleteStatus(status);
  return state;
}

static void delete(void *kernel) {
  kernel_state *state = kernel;
  kept_filter_free(&state->kept);
  free(state);
}

static void compute(void *kernel, TF_OpKernelContext *context) {
  kernel_state *state = kernel;
  operation_call call = {context, TF_NewStatus(), &state->kept};
  operation_begin();
  state->definition->body(&call, &state->params);
  operation_end();
  if (TF_GetCode(call.status) != 0) TF_OpKernelContext_Failure(context, call.status);
  TF_DeleteStatus(call.status);
}

/* TensorFlow calls back without a word on which kernel is meant: each definition has its own function. */
#define CREATE(n) \
  static void *create_##n(TF_OpKernelConstruction *c) { return create(definitions[n], c); }
#define EACH(f) \
  f(0) f(1) f(2) f(3) f(4) f(5) f(6) f(7) f(8) f(9) f(10) f(11) f(12) f(13) f(14) f(15) \
  f(16) f(17) f(18) f(19) f(20) f(21) f(22) f(23) f(24) f(25) f(26) f(27) f(28) f(29) f(30) f(31)
EACH(CREATE)
#define NAME(n) create_##n,
static void *(*const creators[MAX_OPERATIONS])(TF_OpKernelConstruction *) = {EACH(NAME)};

/* Whoever records a node says what shape it has: attributes are out of reach here. */
static void unknown_shape(TF_ShapeInferenceContext *context, TF_Status *status) {
  TF_ShapeInferenceContextSetUnknownShape(context, status);
}

static void register_definition(const operation_definition *definition, const char *name, TF_Status *status) {
  TF_OpDefinitionBuilder *builder = TF_NewOpDefinitionBuilder(name);
  TF_OpDefinitionBuilderAddAttr(builder, "T: {float, bfloat16}");
  if (definition->has_window) TF_OpDefinitionBuilderAddAttr(builder, "window: list(int)");
  for (int i = 0; i < MAX_OPERATION_NUMBERS && definition->numbers[i] != NULL; i++) {
    char attribute[64];
    snprintf(attribute, sizeof attribute, "%s: float", definition->numbers[i]);
    TF_OpDefinitionBuilderAddAttr(builder, attribute);
  }
  for (int i = 0; i < MAX_OPERATION_TENSORS && definition->inputs[i] != NULL; i++) {
    TF_OpDefinitionBuilderAddInput(builder, definition->inputs[i]);
  }
  for (int i = 0; i < MAX_OPERATION_TENSORS && definition->outputs[i] != NULL; i++) {
    TF_OpDefinitionBuilderAddOutput(builder, definition->outputs[i]);
  }
  TF_OpDefinitionBuilderSetShapeInferenceFunction(builder, unknown_shape);
  TF_RegisterOpDefinition(builder, status);
}

int operation_register(const operation_definition *definition, TF_Status *status) {
  if (definition_count == MAX_OPERATIONS) abort();
  const int number = definition_count++;
  definitions[number] = definition;
  char name[64];
  snprintf(name, sizeof name, "Distillery%s", definition->name);
  register_definition(definition, name, status);
  if (TF_GetCode(status) != 0) return 1;
  for (int is_bf16 = 0; is_bf16 < 2; is_bf16++) {
    TF_KernelBuilder *builder = TF_NewKernelBuilder(name, "CPU", creators[number], compute, delete);
    TF_KernelBuilder_TypeConstraint(builder, "T", is_bf16 ? TYPE_BFLOAT16 : TYPE_FLOAT32, status);
    if (TF_GetCode(status) != 0) return 1;
    TF_RegisterKernelBuilder(name, builder, status);
    if (TF_GetCode(status) != 0) return 1;
  }
  return 0;
}

const void *operation_input(operation_call *call, int index, int64_t *count) {
  TF_Tensor *tensor = NULL;
  TF_GetInput(call->context, index, &tensor, call->status);
  if (TF_GetCode(call->status) != 0) return NULL;
  const void *elements = TF_TensorData(tensor);
  if (count != NULL) *count = TF_TensorElementCount(tensor);
  /* The executor holds the memory until the node is done; this is only a handle to it. */
  TF_DeleteTensor(tensor);
  return elements;
}

static size_t element_bytes(int type) { return type == TYPE_BFLOAT16 ? 2 : 4; }

/* From how much on a tensor is worth a place in the arena. */
#define ARENA_BYTES 65536

static void give_back(void *elements, size_t bytes, void *block) {
  (void)elements, (void)bytes;
  arena_give(block);
}

/* A tensor in the arena; NULL if it is small, or if there is no room. */
static TF_Tensor *arena_tensor(int type, const int64_t *lengths, int rank, size_t bytes) {
  arena_block *block = NULL;
  void *elements = bytes < ARENA_BYTES ? NULL : arena_take(bytes, &block);
  return elements == NULL ? NULL : TF_NewTensor(type, lengths, rank, elements, bytes, give_back, block);
}

static size_t bytes_of(int type, const int64_t *lengths, int rank) {
  size_t bytes = element_bytes(type);
  for (int i = 0; i < rank; i++) bytes *= (size_t)lengths[i];
  return bytes;
}

/* A float32 tensor for whoever asks, who deletes it: the first values of a variable. */
TF_Tensor *float32_tensor(const int64_t *lengths, int rank) {
  const size_t bytes = bytes_of(TYPE_FLOAT32, lengths, rank);
  TF_Tensor *tensor = arena_tensor(TYPE_FLOAT32, lengths, rank, bytes);
  return tensor == NULL ? TF_AllocateTensor(TYPE_FLOAT32, lengths, rank, bytes) : tensor;
}

void *operation_output(operation_call *call, int index, int type, const int64_t *lengths, int rank) {
  if (TF_GetCode(call->status) != 0) return NULL;
  const size_t bytes = bytes_of(type, lengths, rank);
  TF_Tensor *tensor = arena_tensor(type, lengths, rank, bytes);
  if (tensor != NULL) TF_SetOutput(call->context, index, tensor, call->status);
  else tensor = TF_AllocateOutput(call->context, index, type, lengths, rank, bytes, call->status);
  void *elements = TF_GetCode(call->status) == 0 ? TF_TensorData(tensor) : NULL;
  if (tensor != NULL) TF_DeleteTensor(tensor);
  return elements;
}

#define MAX_RANK 8

/* The lengths of an input's axes; how many there are, or -1. */
static int lengths_of(operation_call *call, int input, int64_t *lengths) {
  TF_Tensor *tensor = NULL;
  if (TF_GetCode(call->status) == 0) TF_GetInput(call->context, input, &tensor, call->status);
  if (TF_GetCode(call->status) != 0) return -1;
  const int rank = TF_NumDims(tensor);
  for (int i = 0; i < rank && i < MAX_RANK; i++) lengths[i] = TF_Dim(tensor, i);
  TF_DeleteTensor(tensor);
  return rank;
}

void *operation_output_like(operation_call *call, int index, int type, int input) {
  int64_t lengths[MAX_RANK];
  const int rank = lengths_of(call, input, lengths);
  return rank < 0 ? NULL : operation_output(call, index, type, lengths, rank);
}

/* Registers everything, once a process. NULL, or what TensorFlow says. */
TF_Status *operations_register(void) {
  TF_Status *status = TF_NewStatus();
  if (conv_operations_register(status) != 0) return status;
  if (batch_norm_operations_register(status) != 0) return status;
  if (elementwise_operations_register(status) != 0) return status;
  if (depthwise_operations_register(status) != 0) return status;
  if (separable_operations_register(status) != 0) return status;
  if (pool_operations_register(status) != 0) return status;
  if (global_mean_operations_register(status) != 0) return status;
  TF_DeleteStatus(status);
  return NULL;
}
