/**
 * What a build was made of. Services run from the build and are hashed from their sources: the two must be
 * the same, but for comments, types and formatting.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { Option, Schema } from "effect"
import type { SourceDigests } from "./SourceDigests.ts"
import type { SourceRecord } from "./sourceRecord.ts"

/** By path from the package's root. */
export interface BuiltSources {
  readonly [path: string]: SourceRecord
}

const decode = Schema.decodeUnknownOption(
  Schema.fromJsonString(
    Schema.Record(Schema.String, Schema.Struct({ digest: Schema.String, code: Schema.String }))
  )
)

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

/** The bundler is asked only about files that are not what they were. */
const isCurrent = async (built: SourceRecord | undefined, file: string, sources: SourceDigests) => {
  if (built === undefined) return false
  if (sources.of(file) === built.digest) return true
  const { sourceRecord } = await import("./sourceRecord.ts")
  return (await sourceRecord(file)).code === built.code
}

export interface StaleOptions {
  readonly packageRoot: string
  readonly built: BuiltSources
  readonly sources: SourceDigests
}

/** Rejects with an error that names a source that is not what the build was made of. */
export const refuseStale = async (
  what: string,
  paths: ReadonlyArray<string>,
  { built, packageRoot, sources }: StaleOptions
): Promise<void> => {
  for (const path of paths) {
    if (await isCurrent(built[path], join(packageRoot, path), sources)) continue
    throw new Error(`${what} runs from dist/, which was built before ${path} changed: run npm run prepare`)
  }
}
