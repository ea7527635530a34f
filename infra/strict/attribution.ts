/** Who called a function that a stage must not call: the stage's code, one of its packages, or neither. */
import { findSourceMap } from "node:module"
import { dirname, relative, sep } from "node:path"
import { fileURLToPath } from "node:url"
import { trustedPackages } from "./trustedPackages.ts"

export interface StageCode {
  /** The bundle that holds the stage's code, as the loader names it. */
  readonly bundleUrl: string
  /** Where its sources lie; their paths are told relative to it. */
  readonly root: string
}

interface Frame {
  readonly file: string
  readonly line: number
  readonly column: number
}

/** Deep enough to reach the stage's code through a package. */
const numFrames = 40

/** The calls above `cut`, nearest first; Node's own have no file or one of the scheme `node:`. */
const framesAbove = (cut: (...args: never) => unknown): ReadonlyArray<Frame> => {
  const { prepareStackTrace, stackTraceLimit } = Error
  const holder: { stack?: unknown } = {}
  Error.prepareStackTrace = (_, sites) => sites
  Error.stackTraceLimit = numFrames
  Error.captureStackTrace(holder, cut)
  const sites = holder.stack as ReadonlyArray<NodeJS.CallSite>
  Error.prepareStackTrace = prepareStackTrace
  Error.stackTraceLimit = stackTraceLimit
  return sites.map((site) => ({
    file: site.getFileName() ?? "node:native",
    line: site.getLineNumber() ?? 0,
    column: site.getColumnNumber() ?? 0
  }))
}

/** Where Distillery's own modules lie: those built beside this one, or the sources. */
const programFolder = import.meta.url.endsWith(".js")
  ? new URL("./", import.meta.url).href
  : new URL("../../", import.meta.url).href

/** The package that a file belongs to; `undefined` for Distillery itself, wherever it is installed. */
const packageOf = (file: string): string | undefined => {
  if (file.startsWith(programFolder) && !file.slice(programFolder.length).includes("node_modules/")) return
  const parts = file.split(/[\\/]node_modules[\\/]/)
  if (parts.length < 2) return undefined
  const segments = parts.at(-1)!.split(/[\\/]/)
  return segments.slice(0, segments[0]!.startsWith("@") ? 2 : 1).join("/")
}

/** Node's loader reads files for whoever imports; what is imported is in the closure. */
const isLoading = (frames: ReadonlyArray<Frame>): boolean =>
  frames.some(({ file }) => file.startsWith("node:internal/modules/"))

const placeOf = ({ column, file, line }: Frame, root: string): string => {
  const origin = findSourceMap(file)?.findOrigin(line, column)
  if (origin === undefined || !("fileName" in origin)) return `${relativeTo(root, file)}:${line}`
  const source = origin.fileName.startsWith("file:") ? origin.fileName : join(file, origin.fileName)
  return `${relativeTo(root, source)}:${origin.lineNumber}`
}

const join = (map: string, source: string): string => new URL(source, map).href

const relativeTo = (root: string, file: string): string => {
  const path = file.startsWith("file:") ? fileURLToPath(file) : file
  return relative(root, path).split(sep).join("/")
}

/**
 * Where the stage's code causes the call above `cut`, `undefined` where it does not. Packages that Distillery
 * itself brings are trusted with all but chance: what they read for themselves changes no result.
 */
export const makeAttribution = ({ bundleUrl, root }: StageCode) => {
  const trusted = trustedPackages(dirname(fileURLToPath(import.meta.url)))
  return (cut: (...args: never) => unknown, kind: string): { readonly where: string } | undefined => {
    const frames = framesAbove(cut)
    const nearest = frames.findIndex(({ file }) => !file.startsWith("node:"))
    if (nearest < 0 || isLoading(frames.slice(0, nearest))) return undefined
    const own = frames
      .slice(nearest)
      .find(({ file }) => !file.startsWith("node:") && packageOf(file) === undefined)
    const byStage = own?.file === bundleUrl ? own : undefined
    const name = packageOf(frames[nearest]!.file)
    if (name === undefined || kind === "randomness") {
      return byStage === undefined ? undefined : { where: placeOf(byStage, root) }
    }
    if (trusted.has(name)) return undefined
    return {
      where: byStage === undefined ? `package ${name}` : `${placeOf(byStage, root)}, by package ${name}`
    }
  }
}
