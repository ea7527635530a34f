/** Weights in PyTorch's layouts, beside its names, so that `load_state_dict` takes them. */
import { fileLayout } from "../models/published/layouts.ts"
import type { Weights } from "../nn/Weights.ts"
import { transposed } from "./channels-first.ts"

/** Filters become `[out, in, H, W]`, matrices `[out, in]`: what `fitWeights` reads. */
export const toTorch = (weights: Weights): Weights =>
  Object.fromEntries(
    Object.entries(weights).map(([name, weight]) => {
      const { axes, shape } = fileLayout(weight.shape)
      const order = shape.map((_, axis) => axes.indexOf(axis))
      return [name, transposed(weight, order)]
    })
  )
