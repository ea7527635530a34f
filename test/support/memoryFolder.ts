/** A folder of the user's own that lies in memory. */
import { Effect, Stream } from "effect"
import { digestOf } from "../../infra/hashing.ts"
import { filesDigest } from "../../lib/data/files-digest.ts"
import type { Folder } from "../../lib/data/SourceFiles.ts"

export const memoryFolder = (contents: ReadonlyMap<string, Uint8Array>): Folder => {
  const files = [...contents].map(([path, bytes]) => ({ path, bytes }))
  return {
    digest: filesDigest({ digest: digestOf }, files),
    files: files.map(({ path, bytes }) => ({
      path,
      sizeBytes: bytes.length,
      digest: digestOf(bytes),
      bytes: Effect.succeed(bytes),
      source: { sizeBytes: bytes.length, chunks: Stream.succeed(bytes) }
    }))
  }
}
