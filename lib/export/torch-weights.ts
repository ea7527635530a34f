/** Weights in PyTorch's layouts, beside its names, so that `load_state_dict` takes them; and back again. */
import type { Weight, WeightSpec, Weights } from "../nn/Weights.ts"
import { filterChannelsFirst, transposed } from "./channels-first.ts"
import { type InferenceGraph, inOrder } from "./InferenceGraph.ts"

/** Names of the filters that a graph convolves every channel with by itself. */
export const depthwiseFilters = (graph: InferenceGraph): ReadonlySet<string> =>
  new Set(
    inOrder(graph).flatMap(({ inputs, operation }) => {
      const name = inputs[1]?.name
      return operation.kind === "Convolution" && operation.depthwise && name !== undefined ? [name] : []
    })
  )

/** Filters become `[out, in, h, w]` (depthwise ones `[out, 1, h, w]`), matrices `[out, in]`. */
export const toTorch = (weights: Weights, depthwise: ReadonlySet<string>): Weights =>
  Object.fromEntries(
    Object.entries(weights).map(([name, weight]) => [name, torchWeight(weight, depthwise.has(name))])
  )

const torchWeight = (weight: Weight, depthwise: boolean): Weight => {
  if (weight.shape.length === 4) return filterChannelsFirst(weight, depthwise)
  return weight.shape.length === 2 ? transposed(weight, [1, 0]) : weight
}

/** What {@link toTorch} made of weights of these specs, as it was. */
export const fromTorch = (weights: Weights, specs: ReadonlyArray<WeightSpec>): Weights =>
  Object.fromEntries(
    specs.flatMap(({ name, shape }) => {
      const weight = weights[name]
      return weight === undefined ? [] : [[name, ownWeight(weight, shape)]]
    })
  )

const ownWeight = (weight: Weight, shape: ReadonlyArray<number>): Weight => {
  if (shape.length === 2) return transposed(weight, [1, 0])
  if (shape.length !== 4) return weight
  // A depthwise filter is one of a single input, with as many outputs.
  return {
    shape,
    values: transposed(weight, isDepthwise(weight, shape) ? [2, 3, 0, 1] : [2, 3, 1, 0]).values
  }
}

const isDepthwise = ({ shape: [, inputs] }: Weight, [, , channels]: ReadonlyArray<number>): boolean =>
  inputs === 1 && channels !== 1
