/** Matrix products. */
import { attribute } from "../attributes.ts"
import { heavy, light } from "../autocast.ts"
import { type WindowShape, windowNumbers } from "../CpuKernels.ts"
import { DataType } from "../capi.ts"
import type { GraphBackend, TensorInfo } from "../GraphBackend.ts"
import { sizeOf } from "../tensors.ts"
import { type Binary, type Kernel, kernel } from "./Kernel.ts"
import { isOnTape } from "./tape.ts"

/** Below this many multiply-accumulates (a classifier's head) bfloat16 saves nothing and costs precision. */
const WORTH_LOWERING = 2 ** 23

const multiplyAccumulates = (a: TensorInfo, b: TensorInfo, transposeB: boolean): number =>
  sizeOf(a.shape) * (b.shape.at(transposeB ? -2 : -1) ?? 1)

/** As many as read each weight once, which takes longer than to multiply by it. */
const FEW_ROWS = 14

/** Each row is an image of one pixel. */
const pointwiseWindow = (batch: number, inputs: number, outputs: number): WindowShape => ({
  ...{ batch, height: 1, width: 1, inputs },
  ...{ outHeight: 1, outWidth: 1, outputs },
  ...{ filterHeight: 1, filterWidth: 1, strideHeight: 1, strideWidth: 1 },
  ...{ padTop: 0, padLeft: 0, dilationHeight: 1, dilationWidth: 1 }
})

/** A few rows by a variable, which is made ready once while it stands still; no gradient is taken. */
const byOwnKernel = (backend: GraphBackend, a: TensorInfo, b: TensorInfo): TensorInfo | undefined => {
  const [batch = 0, inputs = 0] = a.shape
  const outputs = b.shape[1] ?? 0
  if (batch > FEW_ROWS || batch * inputs * outputs === 0 || isOnTape()) return undefined
  if (a.dtype !== "float32" || b.dtype !== "float32") return undefined
  const operands = [backend.output(a), backend.output(b)]
  if (backend.stored(b).cell === undefined) return undefined
  const window = pointwiseWindow(batch, inputs, outputs)
  if (backend.cpu?.supports("convForward", window, false) !== true) return undefined
  const attributes = {
    T: attribute.type(DataType.float32),
    window: attribute.ints(windowNumbers(window))
  }
  return backend.emitOwn("MatMul", operands, attributes, [[batch, outputs]])[0]
}

const product = kernel<Binary, { transposeA: boolean; transposeB: boolean }>(
  "BatchMatMul",
  (backend, { a, b }, { transposeA, transposeB }) => {
    const large = multiplyAccumulates(a, b, transposeB) >= WORTH_LOWERING
    const { emit, input } = (large ? heavy : light)(backend, a, b)
    if (a.shape.length === 2 && b.shape.length === 2) {
      const own = transposeA || transposeB || large ? undefined : byOwnKernel(backend, a, b)
      if (own !== undefined) return own
      return emit("MatMul", [input(a), input(b)], {
        transpose_a: attribute.bool(transposeA),
        transpose_b: attribute.bool(transposeB)
      })
    }
    return emit("BatchMatMulV2", [input(a), input(b)], {
      adj_x: attribute.bool(transposeA),
      adj_y: attribute.bool(transposeB)
    })
  }
)

const einsum = kernel<{ [index: string]: TensorInfo }, { equation: string }>(
  "Einsum",
  (backend, inputs, { equation }) => {
    const tensors = Object.values(inputs)
    const { emit, input } = heavy(backend, ...tensors)
    return emit("Einsum", [tensors.map(input)], {
      N: attribute.int(tensors.length),
      equation: attribute.string(equation)
    })
  }
)

export const matmul: ReadonlyArray<Kernel> = [product, einsum]
