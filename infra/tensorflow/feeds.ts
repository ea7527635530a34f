/** Checks what is fed to a step. */
import type { Feeds, TensorSpec } from "../../lib/tensor/Runtime.ts"
import { sizeOf, type Values } from "./tensors.ts"

/** The values for one input; throws if they are missing, of another type or of another size than declared. */
export const checkedFeed = (name: string, spec: TensorSpec, feeds: Feeds<string>): Values => {
  const values = feeds[name]
  const wanted = spec.dtype === "float32" ? Float32Array : Int32Array
  const size = sizeOf(spec.shape)
  if (values instanceof wanted && values.length === size) return values
  const got = values === undefined ? "nothing" : `a ${values.constructor.name} of ${values.length}`
  throw new Error(
    `input "${name}" takes a ${wanted.name} of ${size} (shape [${spec.shape}]) and was fed ${got}`
  )
}
