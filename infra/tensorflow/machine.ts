/** What of this machine decides which library can run on it. */
import { existsSync } from "node:fs"
import { join } from "node:path"
import process from "node:process"
import { cudaFolders, findGpu, type Gpu } from "./gpu.ts"

export interface Machine {
  readonly platform: string
  readonly arch: string
  /** Version of glibc; `undefined` where the C library is another one. */
  readonly glibc: string | undefined
  readonly gpu: Gpu
  /** Whether the CUDA is here that tfjs-node-gpu's library wants. */
  readonly hasCuda11: boolean
}

/** `visibleGpus` is `CUDA_VISIBLE_DEVICES`. */
export const thisMachine = (visibleGpus: string | undefined): Machine => {
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } }
  return {
    platform: process.platform,
    arch: process.arch,
    glibc: process.platform === "linux" ? report.header?.glibcVersionRuntime : undefined,
    gpu: findGpu({ visible: visibleGpus }),
    hasCuda11: cudaFolders("/").some((folder) => existsSync(join(folder, "libcudart.so.11.0")))
  }
}

/** The wheels are built for it (`manylinux_2_27`). */
const GLIBC_MIN = [2, 27] as const

/** Why no library is fetched for a machine: a clause fit to follow "because". */
export const unsupported = ({ arch, glibc, platform }: Machine): string | undefined => {
  if (platform !== "linux" || arch !== "x64") {
    return `TensorFlow is fetched for Linux on x86-64 only, and this is ${platform} on ${arch}`
  }
  if (glibc === undefined) return "TensorFlow's library needs glibc, and this system has another C library"
  const [major = 0, minor = 0] = glibc.split(".").map(Number)
  const [majorMin, minorMin] = GLIBC_MIN
  return major > majorMin || (major === majorMin && minor >= minorMin)
    ? undefined
    : `TensorFlow's library needs glibc ${GLIBC_MIN.join(".")} or newer, and this system has ${glibc}`
}
