/**
 * What a build was made of. Services run from the build and are hashed from their sources: the two must be
 * the same.
 */
import { readFileSync } from "node:fs"
import { Option, Schema } from "effect"
import { Digest } from "../../lib/storage/Digest.ts"

/** Digest of each source by path from the package's root. */
export interface BuiltSources {
  readonly [path: string]: string
}

const decode = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Record(Schema.String, Digest)))

/** Of the build that lies beside this file. */
export const readBuiltSources = (file: string): BuiltSources => {
  let text = ""
  try {
    text = readFileSync(file, "utf8")
  } catch {
    // Nothing is known of the build, so nothing of it is trusted.
  }
  return Option.getOrElse(decode(text), () => ({}))
}

/** Throws an error that names a source that is not what the build was made of. */
export const refuseStale = (
  service: string,
  built: BuiltSources,
  paths: ReadonlyArray<string>,
  digestOf: (path: string) => string | null
): void => {
  const stale = paths.find((path) => built[path] !== digestOf(path))
  if (stale === undefined) return
  throw new Error(
    `its service "${service}" runs from dist/, which was built before ${stale} changed: run npm run prepare`
  )
}
