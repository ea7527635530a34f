/** What a person is told about the runtime that a run finds or fetches: few lines, whatever the terminal. */
import { Effect } from "effect"
import type { RuntimeNotices } from "../layers.ts"

const mebibytes = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`

/** Measured: ResNet-8 of width 16 on 32 px images, 2 cores, 1,450 against 200 images/s. */
const slowdown = "some 7 times slower than the native one"

/** A line at the start of a phase and at each further quarter of it. */
const numParts = 4

export const runtimeNotices = (announce: (line: string) => Effect.Effect<void>): RuntimeNotices => {
  const tell = (line: string): void => void Effect.runFork(announce(line))
  let told = ""
  return {
    portable: (reason) => tell(`the portable runtime trains, ${slowdown}, because ${reason}`),
    stockKernels: (reason) => tell(`TensorFlow's own kernels serve, which is slower, because ${reason}`),
    progress: ({ bytes, phase, totalBytes }) => {
      const part = totalBytes > 0 ? Math.floor((bytes / totalBytes) * numParts) : 0
      const now = `${phase} ${part}`
      if (now === told) return
      told = now
      const what = phase === "download" ? "fetching the native runtime, once" : "unpacking the native runtime"
      tell(`${what}: ${mebibytes(bytes)} of ${mebibytes(totalBytes)}`)
    }
  }
}
