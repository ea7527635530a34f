/**
 * Files below the mirror folder, or inside an archive there: `fashion-mnist.tar/train-labels-idx1-ubyte.gz`.
 */
import { readFile, stat } from "node:fs/promises"
import { join } from "node:path"
import { Effect } from "effect"
import { isArchive, memberOfFile } from "./archive.ts"
import { causeText, codeOf, type LocationFailed, locationFailed } from "./LocationFailed.ts"

/** `data/x.tar/a/b` as the archive `data/x.tar` and its member `a/b`. */
const split = (path: string): { readonly archive: string; readonly member: string } | undefined => {
  const segments = path.split("/")
  const at = segments.findIndex((segment, index) => index < segments.length - 1 && isArchive(segment))
  return at === -1
    ? undefined
    : { archive: segments.slice(0, at + 1).join("/"), member: segments.slice(at + 1).join("/") }
}

const leadsOutside = (path: string): boolean => path.startsWith("/") || path.split("/").includes("..")

const whyUnreadable = (name: string, cause: unknown) =>
  locationFailed(codeOf(cause) === "ENOENT" ? `the mirror has no ${name}` : `${name}: ${causeText(cause)}`)

export const readMirror = Effect.fn("readMirror")(function* (
  mirror: string | undefined,
  path: string,
  maxBytes: number
): Effect.fn.Return<Uint8Array, LocationFailed> {
  if (mirror === undefined) return yield* locationFailed("no mirror is set (DISTILLERY_MIRROR)")
  if (leadsOutside(path)) return yield* locationFailed("the path leads outside the mirror")
  const inArchive = split(path)
  const name = inArchive?.archive ?? path
  const file = join(mirror, name)
  const info = yield* Effect.tryPromise({
    try: () => stat(file),
    catch: (cause) => whyUnreadable(name, cause)
  })
  // A folder may be called `x.tar`: what is not a file is no archive.
  if (inArchive !== undefined && info.isFile()) {
    return yield* memberOfFile(name, file, inArchive.member, maxBytes)
  }
  const plain = join(mirror, path)
  return yield* Effect.tryPromise({
    try: () => readFile(plain),
    catch: (cause) => whyUnreadable(path, cause)
  })
})
