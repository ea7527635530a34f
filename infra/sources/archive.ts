/** Files out of a tar archive; a single one without reading the rest, where the archive is not compressed. */
import { open, readFile } from "node:fs/promises"
import { Effect } from "effect"
import { listTar, readTar, type TarMember } from "../../lib/data/tar.ts"
import { gunzip } from "./gunzip.ts"
import { causeText, type LocationFailed, locationFailed } from "./LocationFailed.ts"

export const isArchive = (name: string): boolean => /\.(tar|tar\.gz|tgz)$/.test(name)

const namesOf = (list: ReadonlyArray<{ readonly name: string }>) =>
  `${list
    .slice(0, 8)
    .map(({ name }) => name)
    .join(", ")}${list.length > 8 ? ", …" : ""}`

/** The member of this path, or the only one that ends with it. */
const select = Effect.fnUntraced(function* (
  archive: string,
  members: ReadonlyArray<TarMember>,
  path: string
) {
  const exact = members.find(({ name }) => name === path)
  const matches = exact ? [exact] : members.filter(({ name }) => name.endsWith(`/${path}`))
  if (matches.length === 1) return matches[0]!
  return yield* locationFailed(
    matches.length === 0
      ? `${archive} has no member "${path}"; it has ${namesOf(members)}`
      : `${archive} has several members "${path}": ${namesOf(matches)}`
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

/** The folders above the first folder `root` in a path, as `a/b/`; `undefined` where there is none. */
const above = (path: string, root: string): string | undefined => {
  const at = `/${path}`.indexOf(root === "" ? "/" : `/${root}/`)
  return at === -1 ? undefined : path.slice(0, at)
}

const depthOf = (folder: string): number => folder.split("/").length

/**
 * The files below the folder `root`, by their path relative to it. Of several such folders the outermost
 * counts; two of the same depth are refused.
 */
export const filesBelow = Effect.fnUntraced(function* (
  archive: string,
  bytes: Uint8Array,
  root: string
): Effect.fn.Return<ReadonlyMap<string, Uint8Array>, LocationFailed> {
  const entries = yield* readTar(archive, bytes).pipe(
    Effect.mapError((error) => locationFailed(error.message))
  )
  const found = [...new Set(entries.flatMap(({ name }) => above(name, root) ?? []))]
  const depth = Math.min(...found.map(depthOf))
  const outermost = found.filter((folder) => depthOf(folder) === depth)
  if (outermost.length !== 1) {
    const places = outermost.map((folder) => `${folder}${root}`).join(", ")
    return yield* locationFailed(
      found.length === 0
        ? `it has no files in a folder "${root}"; it has ${namesOf(entries)}`
        : `it has several folders "${root}": ${places}`
    )
  }
  const prefix = root === "" ? "" : `${outermost[0]}${root}/`
  return new Map(
    entries
      .filter(({ name }) => name.startsWith(prefix))
      .map(({ name, bytes }) => [name.slice(prefix.length), bytes])
  )
})
