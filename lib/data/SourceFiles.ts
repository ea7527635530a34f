/**
 * Files from the outside world: fetched from the first place that has them, checked against a digest before
 * anything reads them. Implemented in `infra/sources`; stages that bring something in use it.
 */
import { Context, type Effect, Schema } from "effect"
import type { ByteSource } from "../storage/ByteSource.ts"
import { Digest } from "../storage/Digest.ts"

/** One place a file may be had from; they are asked in the order given. */
export const SourceLocation = Schema.Union([
  /** A file below `DISTILLERY_MIRROR`, or a member of an archive there: `fashion-mnist.tar/…/x.gz`. */
  Schema.TaggedStruct("Mirror", { path: Schema.String }),
  /** A file inside a Debian package, unpacked from `apt-get download`, without installing it. */
  Schema.TaggedStruct("Debian", { package: Schema.String, path: Schema.String }),
  Schema.TaggedStruct("Https", { url: Schema.String })
])
export type SourceLocation = typeof SourceLocation.Type

/** A file by its content: `sha256` is of the decompressed bytes, since one content has many `.gz`. */
export const SourceFile = Schema.Struct({
  name: Schema.String,
  sha256: Digest,
  compression: Schema.Literals(["none", "gzip"]),
  locations: Schema.Array(SourceLocation)
})
export type SourceFile = typeof SourceFile.Type

/**
 * A folder of files packed as `.tar`, `.tar.gz` or `.tgz`. `root` is the folder inside whose content counts,
 * at whatever depth it lies: GitHub puts all under a folder named after the commit. Its contents are for the
 * caller to verify, since one content has many archives.
 */
export const SourceArchive = Schema.Struct({
  name: Schema.String,
  root: Schema.String,
  locations: Schema.Array(SourceLocation)
})
export type SourceArchive = typeof SourceArchive.Type

/** No location had the file, or what they had was wrong; `attempts` says what each one answered. */
export class SourceUnavailable extends Schema.TaggedError<SourceUnavailable>()("SourceUnavailable", {
  file: Schema.String,
  attempts: Schema.Array(Schema.String),
  /** Whether asking again a moment later might help: a network that failed, a server that was busy. */
  transient: Schema.Boolean
}) {
  override get message() {
    const attempts = this.attempts.map((line) => `  - ${line}`)
    const fix = "Put a good copy below DISTILLERY_MIRROR, or correct the locations in the pipeline."
    return [`"${this.file}" could not be had:`, ...attempts, fix].join("\n")
  }
}

/** Bytes arrived whole but are not the ones named in the pipeline. */
export class SourceDigestMismatch extends Schema.TaggedError<SourceDigestMismatch>()("SourceDigestMismatch", {
  file: Schema.String,
  location: Schema.String,
  expected: Schema.String,
  found: Schema.String
}) {
  override get message() {
    return (
      `"${this.file}" from ${this.location} has the wrong content: ` +
      `expected ${this.expected}, found ${this.found}. ` +
      "Remove or replace that copy; nothing of it was used."
    )
  }
}

/** A folder or file of the user's own that cannot be read or is not what it should be. */
export class SourceUnreadable extends Schema.TaggedError<SourceUnreadable>()("SourceUnreadable", {
  path: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `"${this.path}" cannot be read: ${this.reason}`
  }
}

/** A file of the user's own has other content than when its folder was looked at. */
export class SourceChanged extends Schema.TaggedError<SourceChanged>()("SourceChanged", {
  path: Schema.String
}) {
  override get message() {
    const what = "was changed while it was read"
    return `"${this.path}" ${what}: nothing of it is kept. Run again when it is at rest.`
  }
}

export type SourceError = SourceUnavailable | SourceDigestMismatch | SourceUnreadable | SourceChanged

export interface FolderFile {
  /** Path below the folder, `/`-separated. */
  readonly path: string
  readonly sizeBytes: number
  /** Of its content when the folder was looked at. */
  readonly digest: Digest
  /** Its content, if it is still that. */
  readonly bytes: Effect.Effect<Uint8Array, SourceUnreadable | SourceChanged>
  /** The same for a store, however large. */
  readonly source: ByteSource<SourceUnreadable | SourceChanged>
}

export interface Folder {
  /** Over the names and contents of the files (`files-digest.ts`). */
  readonly digest: Digest
  /** Sorted by path, by code unit. */
  readonly files: ReadonlyArray<FolderFile>
}

export interface UserFile {
  readonly bytes: Uint8Array
  readonly digest: Digest
}

export class SourceFiles extends Context.Service<
  SourceFiles,
  {
    /** The file's decompressed, verified bytes. */
    readonly fetch: (file: SourceFile) => Effect.Effect<Uint8Array, SourceError>
    /**
     * The regular files below the archive's root by their path relative to it, from the first location that
     * has them. An archive from far away is kept by its address, so that address should name a version.
     */
    readonly archive: (source: SourceArchive) => Effect.Effect<ReadonlyMap<string, Uint8Array>, SourceError>
    /** The visible files below a folder of the user's; a relative path counts from the project's folder. */
    readonly folder: (path: string) => Effect.Effect<Folder, SourceUnreadable>
    /** A file of the user's as it is now; a relative path counts from the project's folder. */
    readonly file: (path: string) => Effect.Effect<UserFile, SourceUnreadable>
  }
>()("lib/data/SourceFiles") {}
