/** What this machine can do for jobs, as a run finds it out while planning: which tensor runtime serves. */
import { Effect, Layer } from "effect"
import { Capabilities } from "../lib/workflow/CodeClosure.ts"
import type { SettingsValue } from "./settings.ts"
import { resolveCpuLibrary } from "./tensorflow/cpu-library.ts"
import type { FetchProgress } from "./tensorflow/install-library.ts"
import {
  hasGpu,
  locateLibrary,
  type NativeLibrary,
  type Portable,
  resolveLibrary
} from "./tensorflow/library.ts"
import { thisMachine } from "./tensorflow/machine.ts"

/** Where TensorFlow's library is looked for. */
export const libraryOptions = ({ cacheDir, tensorflowDir, visibleGpus }: SettingsValue) => ({
  directory: tensorflowDir,
  cacheDirectory: cacheDir,
  machine: thisMachine(visibleGpus)
})

export const askedForPortable: Portable = { kind: "portable", reason: "DISTILLERY_BACKEND asks for it" }

/** What the parent tells the user about the runtime it found or fetches. */
export interface RuntimeNotices {
  readonly progress: (progress: FetchProgress) => void
  /** The portable runtime will serve, and why. */
  readonly portable: (reason: string) => void
  /** The CPU will compute though a GPU is here, and why. */
  readonly gpuIdle: (reason: string) => void
  /** Our kernels are being compiled. */
  readonly compiling: () => void
  /** TensorFlow's kernels will serve in the place of ours, and why. */
  readonly stockKernels: (reason: string) => void
  /** The store is away and waited for, or back again. */
  readonly storeAbsence: (line: string) => void
}

/** `notices` absent: looks only (as `plan` does); given: fetches the native library where it is missing. */
export const capabilitiesLayer = (
  settings: SettingsValue,
  notices: RuntimeNotices | undefined
): Layer.Layer<Capabilities> =>
  Layer.effect(
    Capabilities,
    Effect.gen(function* () {
      const options = libraryOptions(settings)
      const find =
        settings.backend === "portable"
          ? Effect.succeed(askedForPortable)
          : notices === undefined
            ? locateLibrary(options)
            : resolveLibrary({ ...options, onProgress: notices.progress }).pipe(
                Effect.tap((found) => prepareRuntime(found, settings, notices))
              )
      const library = yield* Effect.cached(find)
      return {
        refusal: Effect.fn("Capabilities.refusal")(function* (capability) {
          const found = yield* Effect.result(library)
          if (found._tag === "Failure") return found.failure.message
          return refusalOf(capability, found.success, settings, notices === undefined)
        })
      }
    })
  )

/** Compiles our kernels where the native runtime will use them; says what will be slower than it could be. */
const prepareRuntime = (
  found: NativeLibrary | Portable,
  { cacheDir, kernels }: SettingsValue,
  notices: RuntimeNotices
): Effect.Effect<void> => {
  if (found.kind === "portable") return Effect.sync(() => notices.portable(found.reason))
  const { gpuIdle } = found
  if (gpuIdle !== undefined) notices.gpuIdle(gpuIdle)
  if (kernels === "stock") return Effect.void
  const resolved = resolveCpuLibrary({ cacheDirectory: cacheDir, onCompile: notices.compiling })
  return Effect.map(resolved, (compiled) => {
    if (compiled.kind === "absent") notices.stockKernels(compiled.reason)
  })
}

const refusalOf = (
  capability: string,
  library: NativeLibrary | Portable,
  settings: SettingsValue,
  onlyLooked: boolean
): string | undefined => {
  if (capability === "float16" && !hasGpu(libraryOptions(settings))) {
    return "float16 is for GPUs, and none is to be used here; set the param to bfloat16 or float32"
  }
  if (library.kind === "native") return undefined
  if (settings.backend === "native") {
    return `DISTILLERY_BACKEND asks for the native runtime, which is not to be had because ${library.reason}`
  }
  const low = capability === "bfloat16" || capability === "float16"
  if (!low || (onlyLooked && settings.backend === "auto")) return undefined
  return (
    "the portable runtime computes in float32 only, and the native one is not to be had " +
    `because ${library.reason}; install python3 with pip, or set the param to float32`
  )
}
