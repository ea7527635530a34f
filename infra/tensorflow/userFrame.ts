/** Where in the user's code an error of a step comes from, read from its stack. */
import { isAbsolute, relative } from "node:path"
import { fileURLToPath } from "node:url"
import { packageRootOf } from "../code/packageRoot.ts"

export interface UserFrame {
  /** tfjs's name of what was asked for (`conv2d`, `print`); absent where tfjs was not asked. */
  readonly operation: string | undefined
  /** `file:line`, relative to the working directory where it lies inside; empty where nobody knows. */
  readonly place: string
}

/** Calls between a step's code and the place where an error is noticed; tfjs nests deeply. */
export const FRAMES_NEEDED = 64

interface Frame {
  readonly call: string
  readonly file: string
  readonly line: string
}

/** `at Object.conv2d__op (file:///x/y.js:12:3)`, `at /x/y.ts:12:3` */
const FRAME = /^\s+at (?:(?:async )?(.*?) \()?((?:file:\/\/)?[^\s()]*?):(\d+):\d+\)?$/

const framesOf = (stack: string): ReadonlyArray<Frame> =>
  stack.split("\n").flatMap((text) => {
    const [matched, call = "", file = "", line = ""] = FRAME.exec(text) ?? []
    return matched === undefined ? [] : [{ call, file: pathOf(file), line }]
  })

const pathOf = (file: string): string => (file.startsWith("file://") ? fileURLToPath(file) : file)

/** tfjs, as it is installed or as its source maps call it. */
const isTfjs = ({ file }: Frame): boolean => /[\\/](@tensorflow|tfjs(-\w+)*[\\/]src|tslib)[\\/]/.test(file)

const root = packageRootOf(import.meta.url)
const ours = ["infra/", "dist/", "lib/tensor/"].map((folder) => `${root}/${folder}`)

const isUsers = (frame: Frame): boolean =>
  !(isTfjs(frame) || frame.file.startsWith("node:")) &&
  !/[\\/]node_modules[\\/]@?effect[\\/]/.test(frame.file) &&
  !ours.some((folder) => frame.file.startsWith(folder))

/** `Proxy.conv2d__op`, `Tensor.Tensor.print`, `getGlobalTensorClass.matMul [as matMul]` → the last name. */
const nameOf = (call: string): string =>
  (
    call
      .replace(/ \[as .*\]$/, "")
      .split(".")
      .at(-1) ?? ""
  ).replace(/_*(_op)?$/, "")

/** The nearest line of the user's code, and the operation it asked tfjs for. */
export const userFrameOf = (error: unknown): UserFrame => {
  const frames = framesOf((error instanceof Error && error.stack) || "")
  const index = frames.findIndex(isUsers)
  const inside = frames.slice(0, index < 0 ? frames.length : index).filter(isTfjs)
  // What was asked for stands last; gradients ask for operations below a call that is none itself.
  const asked = inside.findLast(({ call }) => call.endsWith("__op")) ?? inside.at(-1)
  return { operation: asked && nameOf(asked.call), place: placeOf(frames[index]) }
}

const placeOf = (frame: Frame | undefined): string => {
  if (frame === undefined) return ""
  const path = relative(process.cwd(), frame.file)
  return `${path.startsWith("..") || isAbsolute(path) ? frame.file : path}:${frame.line}`
}
