/**
 * What a store holds, read without judging it: every manifest whoever signed it, every record that names
 * results. For sweeping and for checking.
 */
import { Effect, Option, Schema, Stream } from "effect"
import type { BlobRef } from "../storage/BlobStore.ts"
import { Digest } from "../storage/Digest.ts"
import { LeaseRecord } from "../storage/Lease.ts"
import { type ObjectInfo, ObjectStore } from "../storage/ObjectStore.ts"
import { trashedKey } from "../storage/trash.ts"
import { ifPresent, readJson } from "./jsonObjects.ts"
import { inputRecords } from "./Lineage.ts"
import { blobsOf, Manifest } from "./Manifest.ts"
import { RunReport } from "./RunReport.ts"
import { manifestBytesMax, manifestPlaceOf } from "./SignedManifest.ts"

/** A manifest, as far as it can be read; `key` is what its place says. */
export interface HeldManifest {
  readonly info: ObjectInfo
  readonly key: Digest
  /** `undefined` where it cannot be read. */
  readonly manifest: Manifest | undefined
  readonly blobs: ReadonlyArray<BlobRef>
  /** Job keys of what it was made from. */
  readonly reads: ReadonlyArray<Digest>
}

const decodeManifest = Schema.decodeUnknownOption(Manifest)
const Envelope = Schema.Struct({ payload: Schema.Json })

/** Signed, it is the payload of an envelope. */
const contentOf = (stored: Schema.Json): Schema.Json =>
  Schema.is(Envelope)(stored) ? (stored as typeof Envelope.Type).payload : stored

/** Where what is damaged is put, so that nobody reads it and somebody may look at it. */
export const quarantinePrefix = "quarantine/"

/** The digest in the name of a blob, `blobs/sha256/ab/<62 digits>`. */
export const blobIn = (objectKey: string): Digest | undefined => {
  const [, head, rest] = /^blobs\/sha256\/([0-9a-f]{2})\/([0-9a-f]{62})$/.exec(objectKey) ?? []
  return head === undefined ? undefined : (`sha256:${head}${rest}` as Digest)
}

const held = Effect.fn("StoreContents.held")(function* (info: ObjectInfo, key: Digest) {
  if (info.sizeBytes > manifestBytesMax) {
    return [{ info, key, manifest: undefined, blobs: [], reads: [] } satisfies HeldManifest]
  }
  const read = yield* ifPresent(readJson(Schema.Json, info.key))
  if (Option.isNone(read)) return []
  const content = Option.map(read.value, contentOf)
  const manifest = Option.getOrUndefined(Option.flatMap(content, decodeManifest))
  const reads =
    manifest === undefined ? [] : [...inputRecords(manifest.inputs).values()].map(({ jobKey }) => jobKey)
  // What cannot be understood may be newer than this program: its blobs count all the same.
  const blobs = blobsOf(Option.getOrElse(content, () => null))
  return [{ info, key, manifest, blobs, reads } satisfies HeldManifest]
})

/** What was swept, and what was found damaged: kept for a while, needed by nobody. */
export const isSetAside = (key: string): boolean =>
  trashedKey(key) !== undefined || key.startsWith(quarantinePrefix)

/** All objects, in the order of their keys; `setAside` are those in the trash and in quarantine. */
export const allObjects = Effect.gen(function* () {
  const store = yield* ObjectStore
  const all = yield* Stream.runCollect(store.list(""))
  return {
    objects: all.filter(({ key }) => !isSetAside(key)),
    setAside: all.filter(({ key }) => isSetAside(key))
  }
})

export const everyObject = Effect.map(allObjects, ({ objects }) => objects)

export const manifestsAmong = (objects: ReadonlyArray<ObjectInfo>) =>
  Effect.map(
    Effect.forEach(
      objects,
      (info) => {
        const place = manifestPlaceOf(info.key)
        return place === undefined ? Effect.succeed([]) : held(info, place.key)
      },
      { concurrency: 16 }
    ),
    (found): ReadonlyArray<HeldManifest> => found.flat()
  )

const Latest = Schema.Struct({ keys: Schema.Array(Digest) })

/** The latest result of every job of every pipeline. */
export const latestKeys = (objects: ReadonlyArray<ObjectInfo>) =>
  Effect.map(
    Effect.forEach(
      objects.filter(({ key }) => key.startsWith("latest/")),
      ({ key }) => ifPresent(readJson(Latest, key)),
      { concurrency: 16 }
    ),
    (found) =>
      found.flatMap((read) => Option.toArray(Option.flatten(read)).flatMap(({ keys }) => keys.slice(0, 1)))
  )

/** What the latest `count` runs of each scope made or found. */
export const keysOfRuns = (objects: ReadonlyArray<ObjectInfo>, count: number) => {
  const runs = objects.map(({ key }) => key).filter((key) => key.startsWith("runs/"))
  const byScope = Map.groupBy(runs, (key) => key.slice(0, key.lastIndexOf("/")))
  const latest = [...byScope.values()].flatMap((keys) => keys.sort().reverse().slice(0, count))
  return Effect.map(
    Effect.forEach(latest, (key) => ifPresent(readJson(RunReport, key)), { concurrency: 16 }),
    (found) =>
      found.flatMap((read) =>
        Option.toArray(Option.flatten(read)).flatMap(({ jobs }) => jobs.flatMap(({ key }) => key ?? []))
      )
  )
}

/** Job keys that somebody holds the lease of, whether or not he is still alive. */
export const leasesAmong = (objects: ReadonlyArray<ObjectInfo>) =>
  Effect.map(
    Effect.forEach(
      objects.filter(({ key }) => key.startsWith("leases/")),
      (info) => Effect.map(ifPresent(readJson(LeaseRecord, info.key)), (read) => ({ info, read })),
      { concurrency: 16 }
    ),
    (found) => found.map(({ info, read }) => ({ info, lease: Option.getOrUndefined(Option.flatten(read)) }))
  )
