/** The bytes of a file as one location has them: which reader a location needs, and how long it may take. */
import { Effect } from "effect"
import type { SourceArchive, SourceFile, SourceLocation } from "../../lib/data/SourceFiles.ts"
import type { IndexOptions } from "../files/IndexedExternalInputs.ts"
import { filesBelow } from "./archive.ts"
import { readDebian } from "./debian.ts"
import { gunzip } from "./gunzip.ts"
import { type HttpsOptions, readHttps } from "./https.ts"
import type { LocationFailed } from "./LocationFailed.ts"
import { readMirror } from "./mirror.ts"

export interface SourceFilesOptions {
  /** Folder in which `Mirror` locations lie; without one they are passed over. */
  readonly mirror?: string | undefined
  /** Folder for files from `Debian` and `Https` locations. */
  readonly cacheFolder: string
  /** The user's own folders. */
  readonly inputs: IndexOptions
  /** Names the proxies that `Https` locations are asked through. None where it is absent. */
  readonly environment?: HttpsOptions["environment"]
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

/** A location in messages. */
export const labelOf = (location: SourceLocation): string => {
  switch (location._tag) {
    case "Mirror":
      return `mirror, ${location.path}`
    case "Debian":
      return `Debian package ${location.package}`
    case "Https":
      return location.url
  }
}

export const mebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(1)

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

const read = (
  name: string,
  location: SourceLocation,
  options: SourceFilesOptions,
  maxBytes: number
): Effect.Effect<Uint8Array, LocationFailed> => {
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
        environment: options.environment ?? {},
        onProgress: progressNotes(name, options.note ?? (() => {}))
      })
  }
}

const maxBytesOf = (options: SourceFilesOptions): number => options.maxBytes ?? 2 ** 31 - 1

/** Read and decompressed, not verified yet. */
export const readLocation = (
  file: SourceFile,
  location: SourceLocation,
  options: SourceFilesOptions
): Effect.Effect<Uint8Array, LocationFailed> => {
  const maxBytes = maxBytesOf(options)
  const bytes = read(file.name, location, options, maxBytes)
  return file.compression === "gzip"
    ? Effect.flatMap(bytes, (compressed) => gunzip(compressed, maxBytes))
    : bytes
}

/** An archive's bytes as the location has them, compressed or not. */
export const readArchive = (
  archive: SourceArchive,
  location: SourceLocation,
  options: SourceFilesOptions
): Effect.Effect<Uint8Array, LocationFailed> => read(archive.name, location, options, maxBytesOf(options))

/** The files of the archive below its root, from its bytes as a location has them. */
export const unpackArchive = (
  { name, root }: SourceArchive,
  bytes: Uint8Array,
  options: SourceFilesOptions
): Effect.Effect<ReadonlyMap<string, Uint8Array>, LocationFailed> =>
  Effect.flatMap(gunzip(bytes, maxBytesOf(options)), (tar) => filesBelow(name, tar, root))
