/** esbuild, loaded when it is asked for. */
type Esbuild = typeof import("esbuild")

let numUses = 0
let release: NodeJS.Timeout | undefined

/** It is used again and again while planning; a run that follows takes hours. */
const idleMillis = 500

/** esbuild works in a process of its own, which is ended when nothing was asked of it for a while. */
export const withEsbuild = async <A>(use: (esbuild: Esbuild) => Promise<A>): Promise<A> => {
  const esbuild = await import("esbuild")
  clearTimeout(release)
  numUses += 1
  try {
    return await use(esbuild)
  } finally {
    numUses -= 1
    if (numUses === 0) release = setTimeout(() => void esbuild.stop(), idleMillis).unref()
  }
}
