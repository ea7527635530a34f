/**
 * Whole archives from the first location that has them. Their contents are for the caller to verify; those
 * from far away are kept by their address, once they could be unpacked.
 */
import { Effect, Option } from "effect"
import { type SourceArchive, type SourceLocation, SourceUnavailable } from "../../lib/data/SourceFiles.ts"
import type { Hasher } from "../../lib/storage/Digest.ts"
import { readByAddress, writeByAddress } from "./address-cache.ts"
import { labelOf, mebibytes, readArchive, type SourceFilesOptions, unpackArchive } from "./locations.ts"

/** The archive's files as one location has them. */
const fromLocation = Effect.fnUntraced(function* (
  archive: SourceArchive,
  location: SourceLocation,
  options: SourceFilesOptions,
  hasher: Hasher["Service"]
) {
  const note = options.note ?? (() => {})
  const { cacheFolder } = options
  const address = JSON.stringify(location)
  const far = location._tag !== "Mirror"
  const kept = far ? yield* readByAddress(cacheFolder, address, hasher) : Option.none<Uint8Array>()
  const bytes = Option.isSome(kept) ? kept.value : yield* readArchive(archive, location, options)
  const files = yield* unpackArchive(archive, bytes, options)
  if (Option.isSome(kept)) {
    note(`${archive.name}: ${files.size} files from the copy of ${labelOf(location)} in ${cacheFolder}`)
    return files
  }
  note(`${archive.name}: ${files.size} files, ${mebibytes(bytes.length)} MiB from ${labelOf(location)}`)
  if (far) {
    const write = writeByAddress(cacheFolder, address, bytes, hasher)
    const failed = Effect.sync(() => note(`${archive.name}: could not be kept in ${cacheFolder}`))
    yield* Effect.catch(write, () => failed)
  }
  return files
})

/** The first location whose archive can be read and has the root; otherwise why each of them did not. */
export const fetchArchive = Effect.fn("SourceFiles.archive")(function* (
  archive: SourceArchive,
  options: SourceFilesOptions,
  hasher: Hasher["Service"]
): Effect.fn.Return<ReadonlyMap<string, Uint8Array>, SourceUnavailable> {
  const attempts: Array<string> = []
  let transient = false
  for (const location of archive.locations) {
    const outcome = yield* Effect.result(fromLocation(archive, location, options, hasher))
    if (outcome._tag === "Success") return outcome.success
    transient ||= outcome.failure.transient
    attempts.push(`${labelOf(location)}: ${outcome.failure.reason}`)
    options.note?.(`${archive.name} not from ${labelOf(location)}: ${outcome.failure.reason}`)
  }
  return yield* new SourceUnavailable({ file: archive.name, attempts, transient })
})
