/** Archives that are too large to be held: their files one after another, as the bytes come. */
import { Effect, Option, Pull, type Scope, Stream } from "effect"
import type { ByteSource } from "../storage/ByteSource.ts"
import { ArchiveInvalid, memberAt, type TarEntry } from "./tar.ts"

interface ForwardReader<E> {
  /** Bytes by their place, which never goes back; what lies between is passed over. */
  readonly read: (offset: number, length: number) => Effect.Effect<Uint8Array, E | ArchiveInvalid>
  /** Reads what is left: only then does the source say whether all was right. */
  readonly drain: Effect.Effect<void, E>
}

const forwardReader = Effect.fnUntraced(function* <E>(
  archive: string,
  chunks: Stream.Stream<Uint8Array, E>
): Effect.fn.Return<ForwardReader<E>, never, Scope.Scope> {
  const pull = yield* Stream.toPull(Stream.rechunk(chunks, 1))
  let held: Uint8Array = new Uint8Array()
  /** Where in the archive it begins. */
  let begin = 0
  const ended = new ArchiveInvalid({ archive, member: "", reason: "its bytes end too early: truncated" })
  const next = Pull.catchDone(pull, () => ended)
  return {
    read: Effect.fnUntraced(function* (offset, length) {
      const bytes = new Uint8Array(length)
      for (;;) {
        const part = held.subarray(Math.max(0, offset - begin), Math.max(0, offset + length - begin))
        bytes.set(part, Math.max(0, begin - offset))
        if (begin + held.length >= offset + length) return bytes
        begin += held.length
        held = (yield* next)[0]
      }
    }),
    drain: Pull.catchDone(Effect.forever(pull), () => Effect.void)
  }
})

/**
 * The files of an archive, each whole in memory, in the archive's order. Fails with `ArchiveInvalid` as
 * `memberAt` does, and on links, which are not followed here; and with what the source fails with, which may
 * be as late as behind the last file.
 */
export const tarFiles = <E>(
  archive: string,
  { chunks, sizeBytes }: ByteSource<E>
): Stream.Stream<TarEntry, E | ArchiveInvalid> =>
  Stream.unwrap(
    Effect.map(forwardReader(archive, chunks), ({ drain, read }) =>
      Stream.paginate(
        0,
        Effect.fnUntraced(function* (offset): Effect.fn.Return<
          readonly [ReadonlyArray<TarEntry>, Option.Option<number>],
          E | ArchiveInvalid
        > {
          const found = yield* memberAt(archive, sizeBytes, read, offset)
          if (found === undefined) {
            yield* drain
            return [[], Option.none()]
          }
          const { next, place } = found
          if (place._tag === "Link") {
            const reason = "it is a link, which is not followed in so large an archive"
            return yield* new ArchiveInvalid({ archive, member: place.name, reason })
          }
          const { name } = { name: "", ...place }
          const files =
            place._tag === "File" ? [{ name, bytes: yield* read(place.offset, place.sizeBytes) }] : []
          return [files, Option.some(next)]
        })
      )
    )
  )
