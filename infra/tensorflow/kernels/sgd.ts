/** The optimizer's update. */
import { composedSgdStep, SGD_STEP, type SgdAttrs, type SgdInputs } from "../../../lib/tensor/sgd.ts"
import { attribute } from "../attributes.ts"
import { DataType } from "../capi.ts"
import { type Kernel, kernel } from "./Kernel.ts"

const step = kernel<SgdInputs, SgdAttrs>(SGD_STEP, (backend, inputs, attrs) => {
  if (backend.cpu === undefined) return composedSgdStep(inputs, attrs)
  const { gradient, rate, velocity, weight } = inputs
  const all = [weight, velocity, gradient, rate].map((tensor) => backend.output(tensor))
  const attributes = {
    T: attribute.type(DataType.float32),
    momentum: attribute.float(attrs.momentum),
    decay: attribute.float(attrs.decay)
  }
  return backend.emitOwn("Sgd", all, attributes, [weight.shape, weight.shape])
})

export const sgd: ReadonlyArray<Kernel> = [step]
