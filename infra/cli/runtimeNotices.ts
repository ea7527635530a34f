/** What a person is told about the runtime that a run finds or fetches: few lines, whatever the terminal. */
import { Effect } from "effect"
import type { RuntimeNotices } from "../capabilities.ts"
import type { FetchProgress } from "../tensorflow/install-library.ts"

const mebibytes = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`

/** Measured: ResNet-8 of width 16 on 32 px images, 2 cores, 1,450 against 200 images/s. */
export const portableSlowdown = "some 7 times slower than the native one"

/** A line at the start of a phase and at each further quarter of it. */
const numParts = 4

const lineOf = (progress: FetchProgress): string => {
  if (progress.phase === "wait") {
    return `waiting for process ${progress.pid} on ${progress.host}, which is fetching the native runtime`
  }
  const { bytes, phase, totalBytes } = progress
  const what = phase === "download" ? "fetching the native runtime, once" : "unpacking the native runtime"
  return `${what}: ${mebibytes(bytes)} of ${mebibytes(totalBytes)}`
}

const partOf = (progress: FetchProgress): string => {
  if (progress.phase === "wait") return progress.phase
  const { bytes, phase, totalBytes } = progress
  return `${phase} ${totalBytes > 0 ? Math.floor((bytes / totalBytes) * numParts) : 0}`
}

/** Progress as lines, one for each part. */
export const progressNotices = (
  announce: (line: string) => Effect.Effect<void>
): RuntimeNotices["progress"] => {
  let told = ""
  return (progress) => {
    const part = partOf(progress)
    if (part === told) return
    told = part
    Effect.runFork(announce(lineOf(progress)))
  }
}

export const runtimeNotices = (announce: (line: string) => Effect.Effect<void>): RuntimeNotices => {
  const tell = (line: string): void => void Effect.runFork(announce(line))
  return {
    portable: (reason) => tell(`the portable runtime trains, ${portableSlowdown}, because ${reason}`),
    gpuIdle: (reason) => tell(`the CPU computes though there is an NVIDIA GPU, because ${reason}`),
    compiling: () => tell("compiling the kernels for this machine's processor, once: a minute or less"),
    stockKernels: (reason) => tell(`TensorFlow's own kernels serve, which is slower, because ${reason}`),
    storeAbsence: tell,
    progress: progressNotices(announce)
  }
}
