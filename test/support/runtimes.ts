/** The tensor runtimes of this machine, for tests: the native one where its library is to be had. */
import { homedir } from "node:os"
import { join } from "node:path"
import { Effect, Layer } from "effect"
import { resolveCpuLibrary } from "../../infra/tensorflow/cpu-library.ts"
import { resolveLibrary } from "../../infra/tensorflow/library.ts"
import { layerNative, type NativeOptions } from "../../infra/tensorflow/NativeRuntime.ts"
import { layerPortable } from "../../infra/tensorflow/PortableRuntime.ts"
import type { ExecutionError, TensorRuntime } from "../../lib/tensor/Runtime.ts"
import { guardOperations } from "./operationGuard.ts"

// Benchmarks measure what users run.
if (process.env.VITEST !== undefined) guardOperations()

const userCache = process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache")

const cacheDirectory = join(userCache, "distillery")

/** TensorFlow's library from the user's cache, fetched if need be, or why there is none. */
export const library = await Effect.runPromise(
  resolveLibrary({
    cacheDirectory,
    directory: process.env.DISTILLERY_TENSORFLOW || undefined
  })
)

/** Our kernels, compiled if need be, or why there are none. */
export const kernels = await Effect.runPromise(resolveCpuLibrary({ cacheDirectory }))

export const kernelsFile =
  kernels.kind === "compiled" && process.env.DISTILLERY_KERNELS !== "stock" ? kernels.file : undefined

/** A native runtime as the caller wants it; throws where there is no library. */
export const nativeWith = (options: Omit<NativeOptions, "library" | "kernels">) => {
  if (library.kind !== "native") throw new Error(`there is no native runtime: ${library.reason}`)
  return layerNative({ library, kernels: kernelsFile, ...options })
}

export interface NamedRuntime {
  readonly name: "native" | "stock native" | "portable" | "tfjs-node eager"
  /** For the title of the test: why it is skipped, or nothing. */
  readonly skipped: string
  readonly layer: Layer.Layer<TensorRuntime, ExecutionError>
}

export const portable: NamedRuntime = { name: "portable", skipped: "", layer: layerPortable }

const onLibrary = (name: NamedRuntime["name"], file: string | undefined): NamedRuntime =>
  library.kind === "native"
    ? { name, skipped: "", layer: layerNative({ library, kernels: file, threads: 2 }) }
    : { name, skipped: ` (skipped: ${library.reason})`, layer: Layer.empty as never }

/** Its `skipped` is not empty where there is no library. */
export const native: NamedRuntime = onLibrary("native", kernelsFile)

/** Without our kernels, as on machines where they cannot be compiled. */
export const stockNative: NamedRuntime = onLibrary("stock native", undefined)

export const runtimes: ReadonlyArray<NamedRuntime> = [native, portable]
