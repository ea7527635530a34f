/** One file out of a tar archive, without reading the rest of it where the archive is not compressed. */
import { open, readFile } from "node:fs/promises"
import { Effect } from "effect"
import { listTar, type TarMember } from "../../lib/data/tar.ts"
import { gunzip } from "./gunzip.ts"
import { causeText, type LocationFailed, locationFailed } from "./LocationFailed.ts"

export const isArchive = (name: string): boolean => /\.(tar|tar\.gz|tgz)$/.test(name)

/** The member of this path, or the only one that ends with it. */
const select = Effect.fnUntraced(function* (
  archive: string,
  members: ReadonlyArray<TarMember>,
  path: string
) {
  const exact = members.find(({ name }) => name === path)
  const matches = exact ? [exact] : members.filter(({ name }) => name.endsWith(`/${path}`))
  if (matches.length === 1) return matches[0]!
  const names = (list: ReadonlyArray<TarMember>) =>
    `${list
      .slice(0, 8)
      .map(({ name }) => name)
      .join(", ")}${list.length > 8 ? ", …" : ""}`
  return yield* locationFailed(
    matches.length === 0
      ? `${archive} has no member "${path}"; it has ${names(members)}`
      : `${archive} has several members "${path}": ${names(matches)}`
  )
})

type Read = (offset: number, length: number) => Effect.Effect<Uint8Array, LocationFailed>

const extract = Effect.fnUntraced(function* (archive: string, path: string, totalBytes: number, read: Read) {
  const members = yield* listTar(archive, totalBytes, read).pipe(
    Effect.mapError((error) => (error._tag === "ArchiveInvalid" ? locationFailed(error.message) : error))
  )
  const member = yield* select(archive, members, path)
  return yield* read(member.offset, member.sizeBytes)
})

/** A member of an archive in memory. */
export const memberOfBytes = (
  archive: string,
  bytes: Uint8Array,
  path: string
): Effect.Effect<Uint8Array, LocationFailed> =>
  extract(archive, path, bytes.length, (offset, length) =>
    Effect.succeed(bytes.subarray(offset, offset + length))
  )

const attempt = <A>(run: () => Promise<A>) =>
  Effect.tryPromise({ try: run, catch: (cause) => locationFailed(causeText(cause)) })

const memberOfPlainFile = (archive: string, file: string, path: string) =>
  Effect.acquireUseRelease(
    attempt(() => open(file, "r")),
    (handle) =>
      Effect.gen(function* () {
        const { size } = yield* attempt(() => handle.stat())
        return yield* extract(archive, path, size, (offset, length) =>
          attempt(() => handle.read(new Uint8Array(length), 0, length, offset)).pipe(
            Effect.map(({ buffer, bytesRead }) => buffer.subarray(0, bytesRead))
          )
        )
      }),
    (handle) => Effect.promise(() => handle.close())
  )

/** A member of an archive on disk (`.tar`, `.tar.gz`, `.tgz`). `archive` is its name in messages. */
export const memberOfFile = (
  archive: string,
  file: string,
  path: string,
  maxBytes: number
): Effect.Effect<Uint8Array, LocationFailed> =>
  file.endsWith(".tar")
    ? memberOfPlainFile(archive, file, path)
    : attempt(() => readFile(file)).pipe(
        Effect.flatMap((bytes) => gunzip(bytes, maxBytes)),
        Effect.flatMap((bytes) => memberOfBytes(archive, bytes, path))
      )
