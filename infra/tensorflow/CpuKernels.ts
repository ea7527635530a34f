/** Our kernels for CPUs, loaded into this process and known to TensorFlow as operations `Distillery…`. */
import koffi from "koffi"
import { int64 } from "./attributes.ts"
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
  separable: "separable_supported",
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

  /** An uninitialised float32 tensor where the outputs of our operations lie. Whoever allocates, deletes. */
  readonly allocate: (shape: ReadonlyArray<number>) => Pointer

  /** Gives memory that no tensor needs back to the system. */
  readonly trim: () => void

  private constructor(
    questions: CpuKernels["questions"],
    actions: Pick<CpuKernels, "variablesChanged" | "allocate" | "trim">
  ) {
    this.questions = questions
    this.variablesChanged = actions.variablesChanged
    this.allocate = actions.allocate
    this.trim = actions.trim
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
    const trim = object.func("void arena_trim()")
    const tensor = object.func("void* float32_tensor(int64_t*, int)")
    const kernels = new CpuKernels(Object.fromEntries(questions), {
      variablesChanged: () => void variablesChanged(),
      trim: () => void trim(),
      allocate: (shape) => {
        library.handles.add("tensor", 1)
        return tensor(int64(shape), shape.length) as Pointer
      }
    })
    CpuKernels.loaded.set(file, kernels)
    return kernels
  }

  /** Whether a kernel of ours takes the shape: decided from shape and type alone, the same in every run. */
  supports(kernel: WindowKernel, window: WindowShape, low: boolean): boolean {
    const numbers = BigInt64Array.from(windowNumbers(window), BigInt)
    return this.questions[kernel](numbers, low ? 1 : 0) === 1
  }
}
