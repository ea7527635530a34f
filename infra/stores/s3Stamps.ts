/**
 * How many objects look, in few requests: a listing tells of a thousand at a time what a question of its own
 * would tell of each.
 */
import { Effect, Stream } from "effect"
import type { ObjectInfo, ObjectStamp, ObjectStore, StoreError } from "../../lib/storage/ObjectStore.ts"

type Questions = Pick<ObjectStore["Service"], "head" | "list">

const numParallel = 16

/** So few are asked for one by one. */
const numSingleMax = 20

/** A listing goes on for a page per so many keys that it is to tell of, and the rest is asked for singly. */
const keysPerPage = 20
const pageObjects = 1000

const stampOf = ({ sizeBytes, version }: ObjectInfo): ObjectStamp => ({ sizeBytes, stamp: version })

/** `manifests/main/ab/cd.json` → `manifests/main/` */
const folderOf = (key: string): string => key.split("/").slice(0, -2).join("/").concat("/")

const listed = ({ list }: Questions, folder: string, keys: ReadonlySet<string>) =>
  list(folder).pipe(
    Stream.take(Math.ceil(keys.size / keysPerPage) * pageObjects),
    Stream.filter((info) => keys.has(info.key)),
    Stream.runCollect
  )

const asked = ({ head }: Questions, key: string) =>
  head(key).pipe(
    Effect.map(stampOf),
    Effect.catchTag("ObjectNotFound", () => Effect.succeed(undefined))
  )

/** What no listing has shown is asked for: it may be new, or lie further on. */
export const s3Stamps = (
  questions: Questions,
  keys: ReadonlyArray<string>
): Effect.Effect<ReadonlyArray<ObjectStamp | undefined>, StoreError> =>
  Effect.gen(function* () {
    const folders = Map.groupBy(new Set(keys), folderOf)
    const found = new Map<string, ObjectStamp>()
    for (const [folder, inside] of folders) {
      if (inside.length <= numSingleMax) continue
      for (const info of yield* listed(questions, folder, new Set(inside))) found.set(info.key, stampOf(info))
    }
    const stampFor = (key: string) => {
      const stamp = found.get(key)
      return stamp === undefined ? asked(questions, key) : Effect.succeed(stamp)
    }
    return yield* Effect.forEach(keys, stampFor, { concurrency: numParallel })
  })
