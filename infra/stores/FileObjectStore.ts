/**
 * An `ObjectStore` in a folder: `objects/<key>` beside `tmp/`, `locks/` and `format.json`.
 *
 * Writers on one machine may be many processes; each key's replacing writes take turns by a lock file.
 */
import { readdir, rm } from "node:fs/promises"
import { join, relative, resolve, sep } from "node:path"
import { Effect, Layer, Stream } from "effect"
import type { ByteSource } from "../../lib/storage/ByteSource.ts"
import { hexOf } from "../../lib/storage/Digest.ts"
import { conditionText } from "../../lib/storage/MemoryObjectStore.ts"
import {
  type Move,
  type ObjectInfo,
  ObjectNotFound,
  ObjectStore,
  ObjectTooLarge,
  PreconditionFailed,
  type PutCondition,
  type StoreError,
  StoreFull,
  StoreUnavailable,
  StoreUnusable
} from "../../lib/storage/ObjectStore.ts"
import { isObjectKey, keyRule } from "../../lib/storage/objectKeys.ts"
import { digestOf } from "../hashing.ts"
import { type Content, errorCode, withLockFile, writeAtomically } from "./atomicFiles.ts"
import { moveFile, removeOlder } from "./fileUpkeep.ts"
import { chunksOf, infoFrom, infoOf, isAbsence, presentVersion, readWhole, stampOf } from "./fileVersions.ts"
import { makeFolder } from "./makeFolder.ts"
import { fromSource, throwing, throwingChunks } from "./sourceFailures.ts"
import { formatBytesMax, formatFile, formatProblem, formatText } from "./storeFormat.ts"

interface Folders {
  readonly root: string
  readonly objects: string
  readonly temporary: string
  readonly locks: string
}

const foldersOf = (root: string): Folders => ({
  root,
  objects: join(root, "objects"),
  temporary: join(root, "tmp"),
  locks: join(root, "locks")
})

const isFullness = (error: unknown): boolean => ["ENOSPC", "EDQUOT", "EFBIG"].includes(errorCode(error))

const translated =
  (location: string, operation: string, key: string, sizeBytes: number) =>
  (error: unknown): StoreError => {
    if (error instanceof PreconditionFailed || error instanceof ObjectTooLarge) return error
    if (isFullness(error)) return new StoreFull({ key, sizeBytes, location })
    if (operation !== "write" && isAbsence(error)) return new ObjectNotFound({ key })
    return new StoreUnavailable({ operation, key, reason: String((error as Error).message ?? error) })
  }

const lockOf = (folders: Folders, key: string): string =>
  join(folders.locks, `${hexOf(digestOf(key)).slice(0, 32)}.lock`)

const put = async (
  folders: Folders,
  key: string,
  bytes: Content,
  { condition, isVolatile }: { readonly condition: PutCondition | undefined; readonly isVolatile: boolean }
): Promise<ObjectInfo> => {
  const target = join(folders.objects, key)
  const onlyIfAbsent = condition?._tag === "Absent"
  const lost = () => new PreconditionFailed({ key, condition: conditionText(condition!) })
  const write = async () => {
    // Spares the work of writing what cannot win; the decision itself is made again at the last moment.
    const holds = async () =>
      condition?._tag !== "Version" || presentVersion(target, key) === condition.version
    if (!(await holds())) throw lost()
    const stats = await writeAtomically({
      temporaryFolder: folders.temporary,
      target,
      bytes,
      isVolatile,
      onlyIfAbsent: onlyIfAbsent && { lockFile: lockOf(folders, key) },
      lastCheck: holds
    })
    if (stats === undefined) throw lost()
    return bytes instanceof Uint8Array ? infoFrom(key, stats, bytes) : infoOf(target, key)
  }
  if (!onlyIfAbsent) return withLockFile(lockOf(folders, key), write)
  if (presentVersion(target, key) !== undefined) throw lost()
  return write().catch((error: unknown) => {
    throw errorCode(error) === "EEXIST" ? lost() : error
  })
}

const contentOf = <E>({ chunks, file }: ByteSource<E>): Content =>
  file === undefined
    ? throwingChunks(chunks)
    : { copyOf: file.path, copied: () => Effect.runPromise(throwing(file.unchanged)) }

/** All keys under `objects/`, read from the deepest folder that the prefix names. */
const keysWith = async (folders: Folders, prefix: string): Promise<ReadonlyArray<string>> => {
  const start = join(folders.objects, prefix.slice(0, prefix.lastIndexOf("/") + 1))
  const entries = await readdir(start, { recursive: true, withFileTypes: true }).catch((error: unknown) => {
    if (isAbsence(error)) return []
    throw error
  })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folders.objects, join(entry.parentPath, entry.name)).split(sep).join("/"))
    .filter((key) => key.startsWith(prefix))
    .sort()
}

/** Files that are moved or removed at once. */
const numParallel = 8

type Upkeep = Pick<ObjectStore["Service"], "removeAll" | "moveAll" | "removeLeftovers">

const upkeepOf = (folders: Folders, remove: ObjectStore["Service"]["remove"]): Upkeep => {
  const { objects, root: location, temporary } = folders
  const move = ({ from, to, version }: Move) =>
    Effect.tryPromise({
      try: () =>
        moveFile(lockOf(folders, from), {
          source: join(objects, from),
          target: join(objects, to),
          isWanted: () => {
            const found = presentVersion(join(objects, from), from)
            return found !== undefined && (version ?? found) === found
          }
        }),
      catch: translated(location, "move", from, 0)
    }).pipe(Effect.catchTag("ObjectNotFound", () => Effect.succeed(false)))
  return {
    removeAll: (keys) => Effect.forEach(keys, remove, { concurrency: numParallel, discard: true }),
    moveAll: (moves) =>
      Effect.filter(
        moves.filter(({ from, to }) => isObjectKey(from) && isObjectKey(to)),
        move,
        { concurrency: numParallel }
      ),
    removeLeftovers: (beforeMillis) =>
      Effect.tryPromise({
        try: () => removeOlder(temporary, beforeMillis),
        catch: translated(location, "remove", "tmp", 0)
      })
  }
}

const listOf =
  (folders: Folders, head: ObjectStore["Service"]["head"]): ObjectStore["Service"]["list"] =>
  (prefix) =>
    Stream.fromIterableEffect(
      Effect.tryPromise({
        try: () => keysWith(folders, prefix),
        catch: translated(folders.root, "list", prefix, 0)
      })
    ).pipe(
      // An object removed since it was listed is left out.
      Stream.mapEffect((key) =>
        head(key).pipe(
          Effect.map((info): ReadonlyArray<ObjectInfo> => [info]),
          Effect.catchTag("ObjectNotFound", () => Effect.succeed([]))
        )
      ),
      Stream.flattenIterable
    )

const make = (folders: Folders): ObjectStore["Service"] => {
  const location = folders.root
  const reading = <A>(operation: string, key: string, read: (path: string) => Promise<A>) =>
    isObjectKey(key)
      ? Effect.tryPromise({
          try: () => read(join(folders.objects, key)),
          catch: translated(location, operation, key, 0)
        })
      : Effect.fail(new ObjectNotFound({ key }))
  const head = (key: string) => reading("look up", key, async (path) => infoOf(path, key))
  const remove = (key: string) =>
    reading("remove", key, (path) =>
      withLockFile(lockOf(folders, key), () => rm(path, { force: true }))
    ).pipe(Effect.catchTag("ObjectNotFound", () => Effect.void))
  return {
    location,
    isConditional: true,
    isLocal: true,
    head,
    stamps: (keys) =>
      Effect.try({
        try: () => keys.map((key) => (isObjectKey(key) ? stampOf(join(folders.objects, key)) : undefined)),
        catch: translated(location, "look up", keys[0] ?? "", 0)
      }),
    get: (key, sizeBytesMax = Number.POSITIVE_INFINITY) =>
      reading("read", key, (path) => readWhole(path, { key, sizeBytesMax })),
    getStream: (key) =>
      Effect.map(
        reading("read", key, async (path) => chunksOf(path)),
        ({ chunks, sizeBytes }) => ({
          sizeBytes,
          chunks: Stream.suspend(() =>
            Stream.fromAsyncIterable(chunks(), translated(location, "read", key, sizeBytes))
          )
        })
      ),
    put: (key, bytes, condition, durability) =>
      isObjectKey(key)
        ? Effect.uninterruptible(
            Effect.tryPromise({
              try: () => put(folders, key, bytes, { condition, isVolatile: durability === "volatile" }),
              catch: translated(location, "write", key, bytes.length)
            })
          )
        : Effect.fail(new StoreUnavailable({ operation: "write", key, reason: keyRule })),
    putStream: (key, source) =>
      isObjectKey(key)
        ? Effect.uninterruptible(
            Effect.tryPromise({
              try: () => put(folders, key, contentOf(source), { condition: undefined, isVolatile: false }),
              catch: fromSource(translated(location, "write", key, source.sizeBytes))
            })
          )
        : Effect.fail(new StoreUnavailable({ operation: "write", key, reason: keyRule })),
    remove,
    ...upkeepOf(folders, remove),
    list: listOf(folders, head)
  }
}

const checkFormat = async (folders: Folders): Promise<StoreUnusable | undefined> => {
  const file = join(folders.root, formatFile)
  const limit = { key: formatFile, sizeBytesMax: formatBytesMax }
  const read = async () => new TextDecoder().decode(await readWhole(file, limit))
  const text = await read().catch(async (error: unknown) => {
    if (!isAbsence(error)) throw error
    await writeAtomically({
      temporaryFolder: folders.temporary,
      target: file,
      bytes: new TextEncoder().encode(formatText),
      onlyIfAbsent: { lockFile: lockOf(folders, formatFile) }
    }).catch((race: unknown) => {
      if (errorCode(race) !== "EEXIST") throw race
    })
    return read()
  })
  const reason = formatProblem(text, "folder")
  return reason === undefined ? undefined : new StoreUnusable({ location: folders.root, reason })
}

/** What dead writers left: nobody writes one object, or holds one lock, for an hour. */
const leftoverAgeMillis = 3_600_000

const openStore = async (folders: Folders): Promise<StoreUnusable | undefined> => {
  for (const folder of [folders.objects, folders.temporary, folders.locks]) await makeFolder(folder)
  const unusable = await checkFormat(folders)
  if (unusable !== undefined) return unusable
  const longAgo = Date.now() - leftoverAgeMillis
  await removeOlder(folders.temporary, longAgo)
  await removeOlder(folders.locks, longAgo)
  return undefined
}

/**
 * Opens or makes the store in `folder`. Fails with `StoreUnusable` for a newer format or a broken
 * `format.json`.
 */
export const fileObjectStoreLayer = (folder: string): Layer.Layer<ObjectStore, StoreError> =>
  Layer.effect(
    ObjectStore,
    Effect.gen(function* () {
      const folders = foldersOf(resolve(folder))
      const unusable = yield* Effect.tryPromise({
        try: () => openStore(folders),
        catch: (error) =>
          isFullness(error)
            ? new StoreFull({ key: formatFile, sizeBytes: formatText.length, location: folders.root })
            : new StoreUnusable({ location: folders.root, reason: String((error as Error).message ?? error) })
      })
      if (unusable !== undefined) return yield* unusable
      return make(folders)
    })
  )
