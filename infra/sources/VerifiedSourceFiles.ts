/**
 * `SourceFiles`: asks the locations of a file in their order, and lets nothing pass whose decompressed bytes
 * do not have the digest that the pipeline names. What came from far away is kept in the user's cache by
 * that digest. Archives, whose contents the caller verifies, are kept by their address.
 */
import { Effect, Layer, Option } from "effect"
import {
  SourceDigestMismatch,
  type SourceError,
  type SourceFile,
  SourceFiles,
  type SourceLocation,
  SourceUnavailable
} from "../../lib/data/SourceFiles.ts"
import { Hasher } from "../../lib/storage/Digest.ts"
import { fetchArchive } from "./archives.ts"
import { readUserFile } from "./file.ts"
import { readFolder } from "./folder.ts"
import type { LocationFailed } from "./LocationFailed.ts"
import { labelOf, mebibytes, readLocation, type SourceFilesOptions } from "./locations.ts"
import { readCached, writeCached } from "./verified-cache.ts"

const make = (options: SourceFilesOptions, hasher: Hasher["Service"]) => {
  const note = options.note ?? (() => {})

  const keep = (file: SourceFile, bytes: Uint8Array) =>
    writeCached(options.cacheFolder, file.sha256, bytes).pipe(
      Effect.catch(() => Effect.sync(() => note(`${file.name}: could not be kept in ${options.cacheFolder}`)))
    )

  /** The right bytes, or why this location does not give them. */
  const fromLocation = Effect.fnUntraced(function* (
    file: SourceFile,
    location: SourceLocation
  ): Effect.fn.Return<Uint8Array, LocationFailed | SourceDigestMismatch> {
    const bytes = yield* readLocation(file, location, options)
    const found = hasher.digest(bytes)
    if (found !== file.sha256) {
      const label = labelOf(location)
      const mismatch = { file: file.name, location: label, expected: file.sha256, found }
      return yield* new SourceDigestMismatch(mismatch)
    }
    note(`${file.name}: ${mebibytes(bytes.length)} MiB from ${labelOf(location)}, digest verified`)
    if (location._tag !== "Mirror") yield* keep(file, bytes)
    return bytes
  })

  /** The first location whose content is right; otherwise why each of them was not. */
  const fromLocations = Effect.fnUntraced(function* (
    file: SourceFile
  ): Effect.fn.Return<Uint8Array, SourceError> {
    const attempts: Array<string> = []
    const mismatches: Array<SourceDigestMismatch> = []
    let transient = false
    for (const location of file.locations) {
      const outcome = yield* Effect.result(fromLocation(file, location))
      if (outcome._tag === "Success") return outcome.success
      const { failure } = outcome
      if (failure._tag === "SourceDigestMismatch") mismatches.push(failure)
      else transient ||= failure.transient
      const reason =
        failure._tag === "LocationFailed"
          ? failure.reason
          : `wrong content: expected ${failure.expected}, found ${failure.found}`
      attempts.push(`${labelOf(location)}: ${reason}`)
      note(`${file.name} not from ${labelOf(location)}: ${reason}`)
    }
    return yield* mismatches[0] ?? new SourceUnavailable({ file: file.name, attempts, transient })
  })

  return SourceFiles.of({
    fetch: Effect.fn("SourceFiles.fetch")(function* (file) {
      const cached = yield* readCached(options.cacheFolder, file.sha256, hasher)
      return Option.isSome(cached) ? cached.value : yield* fromLocations(file)
    }),
    archive: (archive) => fetchArchive(archive, options, hasher),
    folder: (path) => readFolder(options.inputs, path),
    file: (path) => readUserFile(options.inputs, path)
  })
}

export const layer = (options: SourceFilesOptions): Layer.Layer<SourceFiles, never, Hasher> =>
  Layer.effect(
    SourceFiles,
    Effect.map(Hasher, (hasher) => make(options, hasher))
  )
