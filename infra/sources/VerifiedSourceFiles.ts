/**
 * `SourceFiles`: asks the locations of a file in their order, and lets nothing pass whose decompressed bytes do not
 * have the digest that the pipeline names. What came from far away is kept in the user's cache by that digest.
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
import { readDebian } from "./debian.ts"
import { digestFolder, readFolder } from "./folder.ts"
import { gunzip } from "./gunzip.ts"
import { readHttps } from "./https.ts"
import type { LocationFailed } from "./LocationFailed.ts"
import { readMirror } from "./mirror.ts"
import { readCached, writeCached } from "./verified-cache.ts"

export interface SourceFilesOptions {
  /** Folder in which `Mirror` locations lie; without one they are passed over. */
  readonly mirror?: string | undefined
  /** Folder for files from `Debian` and `Https` locations. */
  readonly cacheFolder: string
  /** Told of every location that is asked or fails, and of the progress of downloads. */
  readonly note?: (line: string) => void
  /** Longest wait for a server, and for apt as a whole (defaults 20 s and 120 s). */
  readonly idleTimeoutMillis?: number
  readonly aptTimeoutMillis?: number
  /** Further attempts after a transient failure of a server (default 3). */
  readonly retries?: number
  /** Largest file, compressed or not (default 2 GiB). */
  readonly maxBytes?: number
}

const labelOf = (location: SourceLocation): string => {
  switch (location._tag) {
    case "Mirror":
      return `mirror, ${location.path}`
    case "Debian":
      return `Debian package ${location.package}`
    case "Https":
      return location.url
  }
}

const mebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(1)

/** A line for every tenth of a download, so that a log stays short. */
const progressNotes = (name: string, note: (line: string) => void) => {
  let tenths = 0
  return (received: number, total: number | undefined): void => {
    const now = Math.floor((10 * received) / (total ?? 2 ** 27))
    if (now <= tenths) return
    tenths = now
    note(`${name}: ${mebibytes(received)}${total === undefined ? "" : ` of ${mebibytes(total)}`} MiB`)
  }
}

const make = (options: SourceFilesOptions, hasher: Hasher["Service"]) => {
  const note = options.note ?? (() => {})
  const maxBytes = options.maxBytes ?? 2 ** 31 - 1

  const read = (name: string, location: SourceLocation): Effect.Effect<Uint8Array, LocationFailed> => {
    switch (location._tag) {
      case "Mirror":
        return readMirror(options.mirror, location.path, maxBytes)
      case "Debian":
        return readDebian(location.package, location.path, {
          timeoutMillis: options.aptTimeoutMillis ?? 120_000,
          maxBytes
        })
      case "Https":
        return readHttps(location.url, {
          idleTimeoutMillis: options.idleTimeoutMillis ?? 20_000,
          retries: options.retries ?? 3,
          maxBytes,
          onProgress: progressNotes(name, note)
        })
    }
  }

  /** The bytes as that location has them, decompressed. */
  const content = (file: SourceFile, location: SourceLocation) => {
    const bytes = read(file.name, location)
    return file.compression === "gzip"
      ? Effect.flatMap(bytes, (compressed) => gunzip(compressed, maxBytes))
      : bytes
  }

  const keep = (file: SourceFile, bytes: Uint8Array) =>
    writeCached(options.cacheFolder, file.sha256, bytes).pipe(
      Effect.catch(() => Effect.sync(() => note(`${file.name}: could not be kept in ${options.cacheFolder}`)))
    )

  /** The first location whose content is right; otherwise why each of them was not. */
  const fromLocations = Effect.fnUntraced(function* (
    file: SourceFile
  ): Effect.fn.Return<Uint8Array, SourceError> {
    const attempts: Array<string> = []
    const mismatches: Array<SourceDigestMismatch> = []
    for (const location of file.locations) {
      const label = labelOf(location)
      const outcome = yield* Effect.result(content(file, location))
      const found = outcome._tag === "Success" ? hasher.digest(outcome.success) : undefined
      if (outcome._tag === "Success" && found === file.sha256) {
        note(`${file.name}: ${mebibytes(outcome.success.length)} MiB from ${label}, digest verified`)
        if (location._tag !== "Mirror") yield* keep(file, outcome.success)
        return outcome.success
      }
      const reason =
        outcome._tag === "Failure"
          ? outcome.failure.reason
          : `wrong content: expected ${file.sha256}, found ${found}`
      if (found !== undefined) {
        mismatches.push(
          new SourceDigestMismatch({ file: file.name, location: label, expected: file.sha256, found })
        )
      }
      attempts.push(`${label}: ${reason}`)
      note(`${file.name} not from ${label}: ${reason}`)
    }
    return yield* mismatches[0] ?? new SourceUnavailable({ file: file.name, attempts })
  })

  return SourceFiles.of({
    fetch: Effect.fn("SourceFiles.fetch")(function* (file) {
      const cached = yield* readCached(options.cacheFolder, file.sha256, hasher)
      return Option.isSome(cached) ? cached.value : yield* fromLocations(file)
    }),
    folder: readFolder,
    folderDigest: (path) => digestFolder(path, hasher)
  })
}

export const layer = (options: SourceFilesOptions): Layer.Layer<SourceFiles, never, Hasher> =>
  Layer.effect(
    SourceFiles,
    Effect.map(Hasher, (hasher) => make(options, hasher))
  )
