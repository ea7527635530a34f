/** One digest for a set of files: over names and contents, whatever the order or the place they come in. */
import type { Digest, Hasher } from "../storage/Digest.ts"

export interface DigestedFile {
  /** `/`-separated; no file system or archive we read lets a NUL into it. */
  readonly path: string
  readonly digest: Digest
}

const byCodeUnit = (a: DigestedFile, b: DigestedFile): number =>
  a.path < b.path ? -1 : a.path > b.path ? 1 : 0

/**
 * Behind a line that names this scheme stands `path NUL digest LF` for each file, sorted by code unit. The
 * NUL ends the path and a digest has one length, so two sets of files never make the same text.
 */
export const digestOfDigested = (
  hasher: Pick<Hasher["Service"], "digest">,
  files: ReadonlyArray<DigestedFile>
): Digest => {
  const lines = [...files].sort(byCodeUnit).map(({ path, digest }) => `${path}\0${digest}\n`)
  return hasher.digest(new TextEncoder().encode(`folder/1\n${lines.join("")}`))
}

/** The same digest that `SourceFiles.folder` gives a folder of exactly these files. */
export const filesDigest = (
  hasher: Pick<Hasher["Service"], "digest">,
  files: ReadonlyArray<{ readonly path: string; readonly bytes: Uint8Array }>
): Digest =>
  digestOfDigested(
    hasher,
    files.map(({ path, bytes }) => ({ path, digest: hasher.digest(bytes) }))
  )
