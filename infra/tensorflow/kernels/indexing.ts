/** Operations that look up, place or pick elements by number. */
import { attribute } from "../attributes.ts"
import { DataType } from "../capi.ts"
import type { TensorInfo } from "../GraphBackend.ts"
import { dataTypeOf } from "../tensors.ts"
import { type Dtype, type Kernel, kernel } from "./Kernel.ts"

const int32 = attribute.type(DataType.int32)

const gather = kernel<{ x: TensorInfo; indices: TensorInfo }, { axis: number; batchDims: number }>(
  "GatherV2",
  (backend, { x, indices }, { axis, batchDims }) =>
    backend.emit("GatherV2", [backend.output(x), backend.output(indices), backend.graph.intScalar(axis)], {
      batch_dims: attribute.int(batchDims),
      Tparams: attribute.type(dataTypeOf(x.dtype)),
      Tindices: int32,
      Taxis: int32
    })
)

const gatherNd = kernel<{ params: TensorInfo; indices: TensorInfo }>(
  "GatherNd",
  (backend, { params, indices }) =>
    backend.emit("GatherNd", [backend.output(params), backend.output(indices)], {
      Tparams: attribute.type(dataTypeOf(params.dtype)),
      Tindices: int32
    })
)

const oneHot = kernel<
  { indices: TensorInfo },
  { depth: number; onValue: number; offValue: number; dtype?: Dtype }
>("OneHot", (backend, { indices }, { depth, onValue, offValue, dtype = "float32" }) => {
  const { graph } = backend
  const values = [graph.intScalar(depth), graph.scalar(onValue, dtype), graph.scalar(offValue, dtype)]
  return backend.emit("OneHot", [backend.output(indices), ...values], {
    axis: attribute.int(-1),
    T: attribute.type(dataTypeOf(dtype)),
    TI: attribute.type(dataTypeOf(indices.dtype))
  })
})

const scatterNd = kernel<{ indices: TensorInfo; updates: TensorInfo }, { shape: Array<number> }>(
  "ScatterNd",
  (backend, { indices, updates }, { shape }) =>
    backend.emit("ScatterNd", [backend.output(indices), backend.output(updates), backend.graph.ints(shape)], {
      ...backend.typeOf(updates),
      Tindices: int32
    })
)

const tensorScatterUpdate = kernel<{ [K in "tensor" | "indices" | "updates"]: TensorInfo }>(
  "TensorScatterUpdate",
  (backend, { tensor, indices, updates }) =>
    backend.emit(
      "TensorScatterUpdate",
      [tensor, indices, updates].map((input) => backend.output(input)),
      { ...backend.typeOf(tensor), Tindices: int32 }
    )
)

type SparseInputs = { [K in "sparseIndices" | "sparseValues" | "defaultValue"]: TensorInfo }

const sparseToDense = kernel<SparseInputs, { outputShape: Array<number> }>(
  "SparseToDense",
  (backend, { sparseIndices, sparseValues, defaultValue }, { outputShape }) =>
    backend.emit(
      "SparseToDense",
      [
        backend.output(sparseIndices),
        backend.graph.ints(outputShape),
        backend.output(sparseValues),
        backend.output(defaultValue)
      ],
      // In whatever order they come.
      { ...backend.typeOf(sparseValues), Tindices: int32, validate_indices: attribute.bool(false) }
    )
)

export const indexing: ReadonlyArray<Kernel> = [
  gather,
  gatherNd,
  oneHot,
  scatterNd,
  tensorScatterUpdate,
  sparseToDense
]
