/** Runs one case: as a step of a runtime, and on tfjs's pure JS backend. */
import { Effect } from "effect"
import type { Compiled, TensorError } from "../../../lib/tensor/Runtime.ts"
import { RandomStream } from "../../../lib/tensor/random.ts"
import { tf } from "../../../lib/tensor/tf.ts"
import type { CaseInput, KernelCase, Operation } from "./KernelCase.ts"

export type Values = Float32Array | Int32Array | Uint8Array

/** Outputs `y0`, `y1`, … and the gradients `d0`, `d1`, … into the inputs of these numbers. */
export type Arrays = { readonly [name: string]: Values }

type Tensors = { readonly [name: string]: tf.Tensor }

const sizeOf = (shape: ReadonlyArray<number>): number =>
  shape.reduce((product, length) => product * length, 1)

/** `x0`, `x1`, …; booleans travel as int32, as a runtime's inputs do. */
export const drawInputs = ({
  inputs,
  name
}: KernelCase): { readonly [name: string]: Float32Array | Int32Array } =>
  Object.fromEntries(
    inputs.map(({ draw, dtype, shape }, index) => {
      const values = draw(RandomStream.make(11, name, index), sizeOf(shape))
      return [`x${index}`, dtype === "float32" ? Float32Array.from(values) : Int32Array.from(values)]
    })
  )

/** Uneven: an even sum would hide errors that cancel out (as all of batch norm's do). */
const weightsFor = (name: string, output: number, count: number): Float32Array => {
  const random = RandomStream.make(13, name, output)
  return Float32Array.from({ length: count }, () => random.between(-1, 1))
}

const isFloat = ({ dtype }: { readonly dtype: string }): boolean => dtype === "float32"

const outputsOf = (operation: Operation, inputs: ReadonlyArray<tf.Tensor>): ReadonlyArray<tf.Tensor> =>
  [operation(...(inputs as ReadonlyArray<never>))].flat()

/** The step of a case: all outputs and, if wanted, the gradients of their weighted sum. */
export const stepOf =
  ({ inputs, name }: KernelCase, operation: Operation, withGradients: boolean) =>
  (fed: Tensors): Tensors => {
    const all = inputs.map(({ dtype }, index) =>
      dtype === "bool" ? tf.cast(fed[`x${index}`]!, "bool") : fed[`x${index}`]!
    )
    const outputs = outputsOf(operation, all)
    const results = outputs.map((output, index) => [`y${index}`, output] as const)
    if (!withGradients) return Object.fromEntries(results)
    const loss = (...floats: Array<tf.Tensor>): tf.Tensor => {
      const rest = [...floats]
      const merged = all.map((tensor) => (isFloat(tensor) ? rest.shift()! : tensor))
      const parts = outputsOf(operation, merged).flatMap((output, index) =>
        isFloat(output)
          ? [tf.sum(tf.mul(output, tf.tensor(weightsFor(name, index, output.size), output.shape)))]
          : []
      )
      return tf.addN(parts)
    }
    const gradients = tf.grads(loss)(all.filter(isFloat))
    const named = floatInputs(inputs).map((input, index) => [`d${input}`, gradients[index]!] as const)
    return Object.fromEntries([...results, ...named])
  }

/** The numbers of the float32 inputs. */
const floatInputs = (inputs: ReadonlyArray<CaseInput>): ReadonlyArray<number> =>
  inputs.flatMap((input, index) => (isFloat(input) ? [index] : []))

/** What the pure JS backend makes of the case; tfjs's current backend is the same afterwards. */
export const onPureJs = (kase: KernelCase): Arrays => {
  const before = tf.getBackend()
  void tf.setBackend("cpu")
  try {
    return tf.tidy(() => {
      const values = drawInputs(kase)
      const inputs = kase.inputs.map(({ dtype, shape }, index) => {
        const type = dtype === "float32" ? "float32" : "int32"
        return [`x${index}`, tf.tensor(values[`x${index}`]!, [...shape], type)]
      })
      const step = stepOf(kase, kase.reference ?? kase.apply, kase.gradient === "reference")
      const results = Object.entries(step(Object.fromEntries(inputs)))
      // As objects of plain arrays, so that tidy has nothing to look for in them.
      return Object.fromEntries(results.map(([name, tensor]) => [name, tensor.dataSync() as Values]))
    }) as never
  } finally {
    void tf.setBackend(before)
  }
}

/** Half of the distance over which a slope is measured. */
const H = 1e-2

export interface Slope {
  /** From two forward passes. */
  readonly measured: number
  /** From the gradients. */
  readonly derived: number
}

/** The slope of the weighted sum along a random direction. */
export const slopeOf = Effect.fn("slopeOf")(function* (
  kase: KernelCase,
  compiled: Compiled<string, string>,
  here: Arrays
): Effect.fn.Return<Slope, TensorError> {
  const inputs = drawInputs(kase)
  const random = RandomStream.make(12, kase.name)
  const directions = floatInputs(kase.inputs).map((index) => {
    const length = inputs[`x${index}`]!.length
    return { index, direction: Float32Array.from({ length }, () => random.between(-1, 1)) }
  })
  const lossAt = Effect.fn("lossAt")(function* (distance: number) {
    const moved = directions.map(({ direction, index }) => {
      const values = inputs[`x${index}`]! as Float32Array
      return [`x${index}`, values.map((value, place) => value + distance * direction[place]!)]
    })
    return weightedSum(kase, yield* compiled.run({ ...inputs, ...Object.fromEntries(moved) }))
  })
  const measured = ((yield* lossAt(H)) - (yield* lossAt(-H))) / (2 * H)
  const derived = directions.reduce((sum, { direction, index }) => {
    const gradient = here[`d${index}`]!
    return sum + direction.reduce((part, along, place) => part + along * gradient[place]!, 0)
  }, 0)
  return { measured, derived }
})

const weightedSum = ({ name }: KernelCase, results: Arrays): number =>
  Object.entries(results).reduce((sum, [key, values]) => {
    if (!key.startsWith("y") || !(values instanceof Float32Array)) return sum
    const weights = weightsFor(name, Number(key.slice(1)), values.length)
    return sum + weights.reduce((part, weight, place) => part + weight * values[place]!, 0)
  }, 0)

const watched = new WeakSet<object>()

/** Notes the names of the kernels that tfjs's current backend is asked for from now on. */
export const watchKernels = (used: Set<string>): void => {
  for (const config of tf.getKernelsForBackend(tf.getBackend())) {
    if (watched.has(config)) continue
    watched.add(config)
    const { kernelFunc, kernelName } = config
    config.kernelFunc = (given) => {
      used.add(kernelName)
      return kernelFunc(given)
    }
  }
}
