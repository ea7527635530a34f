/** The object with our kernels, for tests that call its functions one by one. */
import koffi from "koffi"
import { kernels } from "./runtimes.ts"

/** For the title of a test: why it is skipped, or nothing. */
export const skipped = kernels.kind === "absent" ? ` (skipped: ${kernels.reason})` : ""

/** TensorFlow's own symbols stay unresolved: nothing here calls what needs them. */
export const object = kernels.kind === "compiled" ? koffi.load(kernels.file, { lazy: true }) : undefined

/** How many threads may work from now on. */
export const startThreads = object?.func("void parallel_start(int)")

export const elementTypes = ["float32", "bfloat16"] as const
export type ElementType = (typeof elementTypes)[number]

/** As names of functions end, and how they declare tensors of the type. */
export const suffixes = { float32: "f32", bfloat16: "bf16" } as const
export const pointers = { float32: "float*", bfloat16: "uint16_t*" } as const
