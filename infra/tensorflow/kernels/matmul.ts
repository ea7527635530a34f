/** Matrix products. */
import { attribute } from "../attributes.ts"
import { heavy, light } from "../autocast.ts"
import type { TensorInfo } from "../GraphBackend.ts"
import { sizeOf } from "../tensors.ts"
import { type Binary, type Kernel, kernel } from "./Kernel.ts"

/** Below this many multiply-accumulates (a classifier's head) bfloat16 saves nothing and costs precision. */
const WORTH_LOWERING = 2 ** 23

const multiplyAccumulates = (a: TensorInfo, b: TensorInfo, transposeB: boolean): number =>
  sizeOf(a.shape) * (b.shape.at(transposeB ? -2 : -1) ?? 1)

const product = kernel<Binary, { transposeA: boolean; transposeB: boolean }>(
  "BatchMatMul",
  (backend, { a, b }, { transposeA, transposeB }) => {
    const large = multiplyAccumulates(a, b, transposeB) >= WORTH_LOWERING
    const { emit, input } = (large ? heavy : light)(backend, a, b)
    if (a.shape.length === 2 && b.shape.length === 2) {
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
