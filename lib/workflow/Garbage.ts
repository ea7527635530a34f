/**
 * What of a store nobody needs any more: the marking of mark and sweep (`Sweep` does the rest).
 *
 * Kept is the latest result of every job, what the latest runs made or found, what goes on, whatever is
 * younger than the grace period, and all that these were made from, in the scopes of all writers.
 */
import { Clock, Effect } from "effect"
import { freshMillis } from "../storage/blobs.ts"
import type { Digest } from "../storage/Digest.ts"
import type { ObjectInfo } from "../storage/ObjectStore.ts"
import { openRuns } from "./OpenRuns.ts"
import { manifestPlaceOf } from "./SignedManifest.ts"
import {
  allObjects,
  blobIn,
  type HeldManifest,
  keysOfRuns,
  latestKeys,
  leasesAmong,
  manifestsAmong
} from "./StoreContents.ts"

export interface GarbageOptions {
  /** What was written within it is kept. */
  readonly graceMillis: number
  /** All results of the latest so many runs are kept. */
  readonly keepRuns: number
}

export type GarbageKind = "result" | "blob" | "state" | "record"

/** An object to remove; `owner` is the job whose result it belongs to: `pipeline/job`. */
export interface Garbage {
  readonly info: ObjectInfo
  readonly kind: GarbageKind
  readonly owner: string | undefined
  /** The run that made that result. */
  readonly runId: string | undefined
}

export interface GarbageFound {
  readonly garbage: ReadonlyArray<Garbage>
  /** All that is in the store, but what is set aside. */
  readonly objects: ReadonlyArray<ObjectInfo>
  readonly manifests: ReadonlyArray<HeldManifest>
  /** In the trash and in quarantine. */
  readonly setAside: ReadonlyArray<ObjectInfo>
  readonly sizeBytes: number
  readonly numOpenRuns: number
  /** What was begun before may be cleared away; by the store's clock. */
  readonly cutoffMillis: number
}

/** All that the roots were made from, and they themselves. */
export const reachable = (
  roots: Iterable<Digest>,
  manifests: ReadonlyArray<HeldManifest>
): ReadonlySet<Digest> => {
  const reads = new Map<Digest, Array<Digest>>()
  for (const one of manifests) reads.set(one.key, [...(reads.get(one.key) ?? []), ...one.reads])
  const seen = new Set<Digest>()
  const next = [...roots]
  for (let key = next.pop(); key !== undefined; key = next.pop()) {
    if (seen.has(key)) continue
    seen.add(key)
    next.push(...(reads.get(key) ?? []))
  }
  return seen
}

type Origin = Pick<Garbage, "owner" | "runId">

const nobody: Origin = { owner: undefined, runId: undefined }

const originOf = ({ manifest }: HeldManifest): Origin => {
  if (manifest === undefined) return nobody
  const { runId } = manifest.provenance
  const owner = `${manifest.pipeline}/${manifest.job}`
  return { owner, runId: typeof runId === "string" ? runId : undefined }
}

/** States are kept or removed whole: `resume/<scope>/<key>/…`, `folds/<scope>/ab/<62 digits>.…`. */
const stemOf = ({ key }: ObjectInfo): string =>
  /^(resume\/.+\/|folds\/.+\/[0-9a-f]{62}\.)/.exec(key)?.[0] ?? key

/** By stem, the time of the youngest object under it. */
const youngest = (objects: ReadonlyArray<ObjectInfo>): ReadonlyMap<string, number> => {
  const times = new Map<string, number>()
  for (const info of objects) {
    const stem = stemOf(info)
    times.set(stem, Math.max(times.get(stem) ?? 0, info.modifiedAtMillis))
  }
  return times
}

interface Ages {
  readonly now: number
  /** Older than this is out of grace. */
  readonly cutoff: number
}

/** No younger than what a run that goes on may have stored; clocks of machines differ by minutes at most. */
const agesOf = (now: number, graceMillis: number, startedAt: ReadonlyArray<number>): Ages => {
  const oldest = Math.min(now, ...startedAt)
  return { now, cutoff: Math.min(now - graceMillis, oldest - 2 * freshMillis) }
}

const stateGarbage = (objects: ReadonlyArray<ObjectInfo>, { cutoff }: Ages): ReadonlyArray<Garbage> => {
  const states = objects.filter(({ key }) => key.startsWith("resume/") || key.startsWith("folds/"))
  const times = youngest(states)
  return states
    .filter((info) => times.get(stemOf(info))! < cutoff)
    .map((info) => ({ info, kind: "state", ...nobody }))
}

const blobGarbage = (
  objects: ReadonlyArray<ObjectInfo>,
  manifests: ReadonlyArray<HeldManifest>,
  isKept: (one: HeldManifest) => boolean,
  { cutoff }: Ages
): ReadonlyArray<Garbage> => {
  const needed = new Set<Digest>()
  const origins = new Map<Digest, Origin>()
  for (const one of manifests) {
    for (const { blob } of one.blobs) {
      if (isKept(one)) needed.add(blob)
      else origins.set(blob, originOf(one))
    }
  }
  return objects.flatMap((info): ReadonlyArray<Garbage> => {
    const digest = blobIn(info.key)
    if (digest === undefined || needed.has(digest) || info.modifiedAtMillis >= cutoff) return []
    return [{ info, kind: "blob", ...(origins.get(digest) ?? nobody) }]
  })
}

/** Of the jobs whose list of recent results is lost, which nothing depends on otherwise. */
const youngestResults = (
  manifests: ReadonlyArray<HeldManifest>,
  listed: ReadonlySet<Digest>
): ReadonlyArray<Digest> => {
  const latest = new Map<string, HeldManifest>()
  const known = new Set<string>()
  for (const one of manifests) {
    const { info, manifest } = one
    if (manifest === undefined) continue
    const id = `${manifestPlaceOf(info.key)?.scope} ${manifest.pipeline} ${manifest.job}`
    if (listed.has(one.key)) known.add(id)
    const before = latest.get(id)
    if (before === undefined || before.info.modifiedAtMillis < info.modifiedAtMillis) latest.set(id, one)
  }
  return [...latest].flatMap(([id, { key }]) => (known.has(id) ? [] : [key]))
}

/** Looks, and removes nothing. */
export const findGarbage = Effect.fn("Garbage.find")(function* (options: GarbageOptions) {
  const now = yield* Clock.currentTimeMillis
  const { forgotten, open } = yield* openRuns
  const { objects, setAside } = yield* allObjects
  const manifests = yield* manifestsAmong(objects)
  const leases = yield* leasesAmong(objects)
  const ages = agesOf(
    now,
    options.graceMillis,
    open.map(({ startedAt }) => Date.parse(startedAt))
  )
  const young = manifests.filter(({ info }) => info.modifiedAtMillis >= ages.cutoff)
  const listed = yield* latestKeys(objects)
  const roots = [
    ...listed,
    ...youngestResults(manifests, new Set(listed)),
    ...(yield* keysOfRuns(objects, options.keepRuns)),
    ...open.flatMap(({ keys }) => keys),
    ...young.map(({ key }) => key)
  ]
  const live = reachable(roots, manifests)
  const isKept = ({ info, key, manifest }: HeldManifest): boolean =>
    live.has(key) || manifest === undefined || info.modifiedAtMillis >= ages.cutoff
  const results = manifests.filter((one) => !isKept(one))
  const records = [
    ...objects.filter(({ key }) => forgotten.includes(key)),
    ...leases.filter(({ info }) => info.modifiedAtMillis < ages.cutoff).map(({ info }) => info)
  ]
  const garbage: ReadonlyArray<Garbage> = [
    ...results.map((one): Garbage => ({ info: one.info, kind: "result", ...originOf(one) })),
    ...blobGarbage(objects, manifests, isKept, ages),
    ...stateGarbage(objects, ages),
    ...records.map((info): Garbage => ({ info, kind: "record", ...nobody }))
  ]
  const sizeBytes = objects.reduce((sum, info) => sum + info.sizeBytes, 0)
  return {
    garbage,
    objects,
    manifests,
    setAside,
    sizeBytes,
    numOpenRuns: open.length,
    cutoffMillis: open.length === 0 ? now - options.graceMillis : ages.cutoff
  } satisfies GarbageFound as GarbageFound
})
