/**
 * Starts tfjs's WebAssembly backend: the portable way to compute, and the one for code outside of compiled
 * steps.
 */
import { createRequire } from "node:module"
import * as path from "node:path"
import process from "node:process"
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm"
import { Effect } from "effect"
import { ExecutionError } from "../../../lib/tensor/Runtime.ts"
import { tf } from "../../../lib/tensor/tf.ts"
import { registerGradients } from "../gradients/all.ts"
import { registerWasmKernels } from "./kernels.ts"

let started: Promise<void> | undefined

/**
 * Makes WebAssembly tfjs's current backend, with our corrected kernels. Starting it again changes nothing.
 */
export const startWasm: Effect.Effect<void, ExecutionError> = Effect.tryPromise({
  try: async () => {
    started ??= start()
    await started
    await tf.setBackend("wasm")
  },
  catch: (cause) =>
    new ExecutionError({
      message:
        `The WebAssembly backend did not start: ${cause instanceof Error ? cause.message : String(cause)}. ` +
        "Is @tensorflow/tfjs-backend-wasm installed (npm ci)?"
    })
})

const start = async (): Promise<void> => {
  // The binaries lie in the installed package, wherever this code is bundled to.
  const entry = createRequire(import.meta.url).resolve("@tensorflow/tfjs-backend-wasm")
  setWasmPaths(`${path.dirname(entry)}${path.sep}`)
  const before = GUARDED.flatMap((event) => process.rawListeners(event))
  if (!(await tf.setBackend("wasm"))) throw new Error("tfjs could not start it")
  // Emscripten's glue installs handlers that throw on every uncaught error and hide where it came from.
  for (const event of GUARDED) {
    for (const listener of process.rawListeners(event)) {
      if (!before.includes(listener)) process.removeListener(event, listener as () => void)
    }
  }
  registerWasmKernels()
  registerGradients()
}

const GUARDED = ["uncaughtException", "unhandledRejection"]
