/** Whether there is an NVIDIA GPU, and what it lacks to compute. */
import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { Effect } from "effect"
import { libraryOptions } from "../capabilities.ts"
import type { SettingsValue } from "../settings.ts"
import type { Gpu } from "../tensorflow/gpu.ts"
import { lookAt, releaseFolder } from "../tensorflow/installed.ts"
import { releases } from "../tensorflow/releases.ts"
import { type Finding, fail, ok, warn } from "./finding.ts"
import type { SelfTestOutcome } from "./selfTestCheck.ts"

/** One GPU, as `nvidia-smi` names it. */
export interface NamedGpu {
  readonly name: string
  readonly computeCapability: string
  readonly memory: string
}

const QUERY = ["--query-gpu=name,compute_cap,memory.total", "--format=csv,noheader"]

/** Lines such as `NVIDIA H100 80GB HBM3, 9.0, 81559 MiB`. */
export const namedGpus = (csv: string): ReadonlyArray<NamedGpu> =>
  csv.split("\n").flatMap((line) => {
    const [name, computeCapability, memory] = line.split(",").map((cell) => cell.trim())
    return name && computeCapability && memory ? [{ name, computeCapability, memory }] : []
  })

const run = promisify(execFile)

const askDriver: Effect.Effect<ReadonlyArray<NamedGpu>> = Effect.promise(async () => {
  try {
    return namedGpus((await run("nvidia-smi", QUERY, { timeout: 10_000 })).stdout)
  } catch {
    return []
  }
})

export interface GpuFacts {
  readonly gpu: Gpu
  readonly named: ReadonlyArray<NamedGpu>
  /** TensorFlow for GPUs with CUDA and cuDNN. */
  readonly libraries: "absent" | "damaged" | "whole"
  /** What the self-test computed on; `undefined` where it did not run. */
  readonly backend: string | undefined
  readonly cudaDriver: string | undefined
}

/** TensorFlow brings code for 6.0 to 8.9, and for 9.0 what the driver compiles. */
const CAPABILITY_MIN = 6
const CAPABILITY_COMPILED = 9

const FETCH = "npx distillery runtime install --gpu"

export const gpuFinding = (facts: GpuFacts): Finding => {
  const { backend, cudaDriver, gpu, libraries, named } = facts
  const names = named.map((one) => `${one.name}, compute capability ${one.computeCapability}, ${one.memory}`)
  const devices = names.length === 0 ? "NVIDIA (nvidia-smi does not say which)" : names.join("; ")
  if (gpu.state === "unusable")
    return warn("gpu", `${devices}: ${gpu.reason}`, "Install a newer driver of NVIDIA's")
  if (gpu.state !== "usable")
    return ok("gpu", `not used: ${gpu.reason}; low precision is bfloat16, not float16`)
  const text = `${devices}, driver ${gpu.driver}`
  if (named.some(({ computeCapability }) => Number(computeCapability) < CAPABILITY_MIN)) {
    return warn(
      "gpu",
      `${text}: TensorFlow needs compute capability 6.0`,
      "CUDA_VISIBLE_DEVICES= keeps to the CPU"
    )
  }
  if (libraries !== "whole") {
    const what = libraries === "absent" ? "not fetched" : "damaged"
    return warn("gpu", `${text}; TensorFlow for CUDA 12 with cuDNN 9 is ${what}`, FETCH)
  }
  if (cudaDriver !== undefined) {
    const fix = "Make libcuda.so.1 visible (in containers: run with --gpus all)"
    return fail("gpu", `${text}, but the driver's library does not load: ${cudaDriver}`, fix)
  }
  if (backend !== "tensorflow-gpu") {
    return warn(
      "gpu",
      `${text}, CUDA 12 and cuDNN 9 are here, but the CPU computes`,
      "See runtime and self-test"
    )
  }
  const compiles = named.some(({ computeCapability }) => Number(computeCapability) >= CAPABILITY_COMPILED)
  const first = compiles ? "; the first run compiles for it, which takes minutes, once" : ""
  return ok("gpu", `${text}, CUDA 12 and cuDNN 9 found${first}`)
}

export const gpuCheck = (settings: SettingsValue, outcome: SelfTestOutcome): Effect.Effect<Finding> =>
  Effect.gen(function* () {
    const { gpu } = libraryOptions(settings).machine
    const named = gpu.state === "usable" || gpu.state === "unusable" ? yield* askDriver : []
    const libraries = lookAt(releaseFolder(settings.cacheDir, releases.gpu)).state
    const native = outcome._tag === "Done" ? outcome.result.native : undefined
    const cudaDriver = native?.cudaDriver ?? undefined
    return gpuFinding({ gpu, named, libraries, backend: native?.backend, cudaDriver })
  })
