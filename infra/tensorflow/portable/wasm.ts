/** Starts tfjs's WebAssembly backend: the portable way to compute, and the one for code outside of compiled steps. */
import { createRequire } from "node:module"
import * as path from "node:path"
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm"
import { Effect } from "effect"
import { ExecutionError } from "../../../lib/tensor/Runtime.ts"
import { tf } from "../../../lib/tensor/tf.ts"
import { registerPortableKernels } from "./kernels.ts"

export const WASM_BACKEND = "wasm"

/** Makes WebAssembly tfjs's current backend, with our corrected kernels. Starting it again changes nothing. */
export const startWasm: Effect.Effect<void, ExecutionError> = Effect.tryPromise({
  try: async () => {
    // The binaries lie in the installed package, wherever this code is bundled to.
    const entry = createRequire(import.meta.url).resolve("@tensorflow/tfjs-backend-wasm")
    if (tf.findBackend(WASM_BACKEND) === null) setWasmPaths(`${path.dirname(entry)}${path.sep}`)
    if (!(await tf.setBackend(WASM_BACKEND))) throw new Error("tfjs could not start it")
    registerPortableKernels(WASM_BACKEND)
  },
  catch: (cause) =>
    new ExecutionError({
      message:
        `The WebAssembly backend did not start: ${cause instanceof Error ? cause.message : String(cause)}. ` +
        "Is @tensorflow/tfjs-backend-wasm installed (npm ci)?"
    })
})
