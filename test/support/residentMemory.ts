/** Memory that the process holds, and whether it grows. */
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import koffi from "koffi"

setFlagsFromString("--expose-gc")
const collectGarbage = runInNewContext("gc") as () => void

/** glibc's: gives freed memory back to the system, which it does by itself when it likes. */
const trim = koffi.load(null).func("int malloc_trim(size_t)")

export const residentMiB = (): number => {
  collectGarbage()
  trim(0)
  return process.memoryUsage.rss() / 2 ** 20
}

/** How far the least-squares line through the second half rises from its beginning to its end. */
export const climb = (samples: ReadonlyArray<number>): number => {
  const half = samples.slice(Math.floor(samples.length / 2))
  const middle = (half.length - 1) / 2
  const mean = half.reduce((sum, value) => sum + value, 0) / half.length
  const covariance = half.reduce((sum, value, index) => sum + (index - middle) * (value - mean), 0)
  const variance = half.reduce((sum, _, index) => sum + (index - middle) ** 2, 0)
  return (covariance / variance) * (half.length - 1)
}
