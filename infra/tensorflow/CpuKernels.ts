/** Our kernels for CPUs, loaded into this process and known to TensorFlow as operations `Distillery…`. */
import koffi from "koffi"
import { openForGood, type Pointer, type TensorFlow, TensorFlowFailure } from "./capi.ts"

/**
 * What a window slides over: `window_shape` in `cpu/kernels.h`, whose fields these are in their order. For
 * pooling and depthwise convolutions `outputs` equals `inputs`.
 */
export interface WindowShape {
  readonly batch: number
  readonly height: number
  readonly width: number
  readonly inputs: number
  readonly outHeight: number
  readonly outWidth: number
  readonly outputs: number
  readonly filterHeight: number
  readonly filterWidth: number
  readonly strideHeight: number
  readonly strideWidth: number
  readonly padTop: number
  readonly padLeft: number
  readonly dilationHeight: number
  readonly dilationWidth: number
}

/** The fields in the order of the C struct, as the attribute `window` of an operation lists them. */
export const windowNumbers = (shape: WindowShape): ReadonlyArray<number> => [
  shape.batch,
  shape.height,
  shape.width,
  shape.inputs,
  shape.outHeight,
  shape.outWidth,
  shape.outputs,
  shape.filterHeight,
  shape.filterWidth,
  shape.strideHeight,
  shape.strideWidth,
  shape.padTop,
  shape.padLeft,
  shape.dilationHeight,
  shape.dilationWidth
]

/** The functions by which a kernel says whether it takes a shape. */
const QUESTIONS = {
  convForward: "conv_forward_supported",
  convInputGradient: "conv_input_gradient_supported",
  convFilterGradient: "conv_filter_gradient_supported",
  depthwise: "depthwise_supported",
  pool: "pool_supported"
} as const

export type WindowKernel = keyof typeof QUESTIONS

export class CpuKernels {
  private readonly questions: { readonly [K in WindowKernel]: (window: BigInt64Array, low: number) => number }

  /**
   * To be called before and after variables are written: filters that are variables are kept as the kernels
   * want them, and are then stale.
   */
  readonly variablesChanged: () => void

  private constructor(questions: CpuKernels["questions"], variablesChanged: () => void) {
    this.questions = questions
    this.variablesChanged = variablesChanged
  }

  private static readonly loaded = new Map<string, CpuKernels>()

  /**
   * Loads the object and registers its operations, once a process: TensorFlow has one registry. `threads` is
   * how many may work from now on. Throws what the linker or TensorFlow says.
   */
  static load(library: TensorFlow, file: string, threads: number): CpuKernels {
    const known = CpuKernels.loaded.get(file)
    const object = koffi.load(file)
    object.func("void parallel_start(int)")(threads)
    if (known !== undefined) return known
    openForGood([file])
    const refused = object.func("void* operations_register()")() as Pointer | null
    if (refused !== null) throw new TensorFlowFailure(library.call.TF_Message(refused) as string)
    const questions = Object.entries(QUESTIONS).map(([kernel, name]) => [
      kernel,
      object.func(`int ${name}(int64_t*, int)`)
    ])
    const variablesChanged = object.func("void variables_changed()")
    const kernels = new CpuKernels(Object.fromEntries(questions), () => void variablesChanged())
    CpuKernels.loaded.set(file, kernels)
    return kernels
  }

  /** Whether a kernel of ours takes the shape: decided from shape and type alone, the same in every run. */
  supports(kernel: WindowKernel, window: WindowShape, low: boolean): boolean {
    const numbers = BigInt64Array.from(windowNumbers(window), BigInt)
    return this.questions[kernel](numbers, low ? 1 : 0) === 1
  }
}
