/**
 * Copies results from one store into another: blobs first, the manifest last and as it was signed, so that a
 * copy that is cut off leaves only whole results, and the next one goes on from there.
 */
import { Clock, Effect, Option, Semaphore } from "effect"
import type { BlobError, BlobRef, BlobStore } from "../storage/BlobStore.ts"
import { blobKey, freshMillis } from "../storage/blobs.ts"
import { type Digest, Hasher } from "../storage/Digest.ts"
import { ObjectStore, type StoreError } from "../storage/ObjectStore.ts"
import { Verifier } from "../storage/Signature.ts"
import type { CopiedResult, CopiedRun, CopySelection, Remark } from "./CopySelection.ts"
import { ifPresent, writeJson } from "./jsonObjects.ts"
import { blobsOf } from "./Manifest.ts"
import { mergeRecent } from "./RecentJobs.ts"
import { RunReport } from "./RunReport.ts"
import type { SeenResults } from "./SeenResults.ts"
import { manifestKey, readManifest } from "./SignedManifest.ts"

/** One side of a copy. */
export interface Side {
  readonly objects: ObjectStore["Service"]
  readonly blobs: BlobStore["Service"]
  /** What of it was seen earlier. */
  readonly seen: SeenResults
}

/** What has to be done for one result. */
interface Pending {
  readonly result: CopiedResult
  readonly blobs: ReadonlyArray<BlobRef>
  /** What of the manifest is to be written; `same`: it is there, and only blobs are wanting. */
  readonly slot: Vacant | "same"
}

/** A place for a manifest: the version that gives way, or none stands there. */
interface Vacant {
  readonly replaces: string | undefined
}

export interface CopyPlan {
  readonly pending: ReadonlyArray<Pending>
  /** Results that the other store holds already, with all their blobs. */
  readonly numThere: number
  /** Another sound result of the same job stands there, and stays. */
  readonly occupied: ReadonlyArray<Remark>
  /** A later result of the same job was seen on one of both sides: these would not count. */
  readonly outdated: ReadonlyArray<Remark>
  readonly numBlobs: number
  readonly sizeBytes: number
}

const numParallel = 32
/** Blobs that are larger go through in chunks. */
const heldBytesMax = 16 * 2 ** 20
/** Memory for the blobs on their way, in MiB: six that are held, two that go through, or many small ones. */
const roomMebibytes = 96
const chunkedMebibytes = 48
const smallMebibytes = 2

const mebibytesFor = ({ sizeBytes }: BlobRef): number =>
  sizeBytes > heldBytesMax ? chunkedMebibytes : Math.max(smallMebibytes, Math.ceil(sizeBytes / 2 ** 20))

const isEqual = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, at) => byte === b[at])

/** What stands where the manifest is to go. */
const slotFor = Effect.fn("StoreCopy.slotFor")(function* ({ bytes, place }: CopiedResult, to: Side) {
  const key = manifestKey(place)
  const before = Option.getOrUndefined(yield* ifPresent(to.objects.head(key)))
  const services = { hasher: yield* Hasher, verifier: yield* Verifier }
  const there = before && Option.getOrUndefined(yield* readManifest(to.objects, place, services))
  if (before === undefined || there === undefined) return { replaces: undefined } as Vacant
  if (isEqual(there.bytes, bytes)) return "same" as const
  const { opened } = there
  if (opened._tag === "Sound" && to.seen.problem(place, opened.manifest) === undefined) {
    return "occupied" as const
  }
  return { replaces: before.version } as Vacant
})

const uniqueBlobs = (results: ReadonlyArray<CopiedResult>): ReadonlyMap<Digest, BlobRef> =>
  new Map(results.flatMap(({ manifest }) => blobsOf(manifest.output.value)).map((ref) => [ref.blob, ref]))

/** Blobs that are there, and of their size. */
const present = Effect.fn("StoreCopy.present")(function* (blobs: ReadonlyMap<Digest, BlobRef>, to: Side) {
  const refs = [...blobs.values()]
  const stamps = yield* to.objects.stamps(refs.map(({ blob }) => blobKey(blob)))
  return new Set(
    refs.flatMap(({ blob, sizeBytes }, index) => (stamps[index]?.sizeBytes === sizeBytes ? [blob] : []))
  )
})

/** One that nobody names may be swept before its manifest is there, if it is old. */
const isFresh = (ref: BlobRef, to: Side) =>
  Effect.gen(function* () {
    const info = yield* ifPresent(to.objects.head(blobKey(ref.blob)))
    const now = yield* Clock.currentTimeMillis
    return Option.isSome(info) && now - info.value.modifiedAtMillis < freshMillis
  })

const withoutOutdated = ({ results }: CopySelection, from: Side, to: Side) => {
  const problemOf = ({ manifest, place }: CopiedResult): string | undefined =>
    from.seen.problem(place, manifest) ?? to.seen.problem(place, manifest)
  return {
    results: results.filter((one) => problemOf(one) === undefined),
    outdated: results.flatMap((one): ReadonlyArray<Remark> => {
      const reason = problemOf(one)
      return reason === undefined ? [] : [{ object: manifestKey(one.place), reason }]
    })
  }
}

/** Looks, and copies nothing. */
export const planCopy = Effect.fn("StoreCopy.plan")(function* (
  selection: CopySelection,
  from: Side,
  to: Side
) {
  const { outdated, results } = withoutOutdated(selection, from, to)
  const there = yield* present(uniqueBlobs(results), to)
  const looked = yield* Effect.forEach(
    results,
    Effect.fnUntraced(function* (result) {
      const slot = yield* slotFor(result, to)
      if (slot === "occupied") return { result, slot, blobs: [] }
      const refs = blobsOf(result.manifest.output.value)
      const blobs = yield* Effect.filter(refs, (ref) => {
        if (!there.has(ref.blob)) return Effect.succeed(true)
        return slot === "same" ? Effect.succeed(false) : Effect.map(isFresh(ref, to), (fresh) => !fresh)
      })
      return { result, slot, blobs }
    }),
    { concurrency: numParallel }
  )
  const pending = looked.flatMap(
    ({ slot, ...one }): ReadonlyArray<Pending> =>
      slot === "occupied" || (slot === "same" && one.blobs.length === 0) ? [] : [{ ...one, slot }]
  )
  const occupied = looked.filter(({ slot }) => slot === "occupied")
  const moved = [...new Map(pending.flatMap(({ blobs }) => blobs).map((ref) => [ref.blob, ref])).values()]
  return {
    pending,
    numThere: results.length - pending.length - occupied.length,
    occupied: occupied.map(({ result }) => ({
      object: manifestKey(result.place),
      reason: "another result of this job stands there, and stays"
    })),
    outdated,
    numBlobs: moved.length,
    sizeBytes: moved.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  } satisfies CopyPlan as CopyPlan
})

export interface CopyProgress {
  readonly numResults: number
  readonly sizeBytes: number
}

export interface Copied extends CopyProgress {
  readonly numBlobs: number
  /** Results whose blobs are damaged or gone where they were to come from. */
  readonly refused: ReadonlyArray<Remark>
}

export interface CopyOptions {
  readonly from: Side
  readonly to: Side
  readonly onProgress: (progress: CopyProgress) => Effect.Effect<void>
}

/** Read verified, and written whole or not at all. */
const moveBlob = (ref: BlobRef, { from, to }: CopyOptions): Effect.Effect<void, BlobError> =>
  ref.sizeBytes > heldBytesMax
    ? to.blobs.putStream(ref, from.blobs.getStream(ref))
    : Effect.asVoid(Effect.flatMap(from.blobs.get(ref), (bytes) => to.objects.put(blobKey(ref.blob), bytes)))

const isOfSource = (error: BlobError): boolean =>
  error._tag === "BlobCorrupt" || error._tag === "ObjectNotFound"

const writeManifest = ({ result: { bytes, place }, slot }: Pending, { objects }: Side) => {
  if (slot === "same") return Effect.void
  const condition =
    slot.replaces === undefined
      ? { _tag: "Absent" as const }
      : { _tag: "Version" as const, version: slot.replaces }
  return objects.put(manifestKey(place), bytes, condition).pipe(
    Effect.asVoid,
    // Somebody was faster: what stands there now is theirs, or ours by another copy.
    Effect.catchTag("PreconditionFailed", () => Effect.void)
  )
}

const makeMover = Effect.fn("StoreCopy.makeMover")(function* (options: CopyOptions) {
  const room = yield* Semaphore.make(roomMebibytes)
  const moves = new Map<Digest, Effect.Effect<void, BlobError>>()
  const count = { blobs: 0, results: 0, sizeBytes: 0 }
  const tell = Effect.suspend(() =>
    options.onProgress({ numResults: count.results, sizeBytes: count.sizeBytes })
  )
  /** Several results may name it; it is moved once. */
  const blob = Effect.fnUntraced(function* (ref: BlobRef) {
    const known = moves.get(ref.blob)
    if (known !== undefined) return yield* known
    const once = Effect.runSync(
      Effect.cached(
        room
          .withPermits(mebibytesFor(ref))(moveBlob(ref, options))
          .pipe(
            Effect.tap(() => {
              count.blobs += 1
              count.sizeBytes += ref.sizeBytes
              return tell
            })
          )
      )
    )
    moves.set(ref.blob, once)
    return yield* once
  })
  const result = (pending: Pending): Effect.Effect<ReadonlyArray<Remark>, StoreError> =>
    // None is interrupted because another failed: other results wait for it, too.
    Effect.forEach(pending.blobs, (ref) => Effect.result(blob(ref)), { concurrency: "unbounded" }).pipe(
      Effect.flatMap((moved) => Effect.forEach(moved, Effect.fromResult, { discard: true })),
      Effect.andThen(writeManifest(pending, options.to)),
      Effect.tap(() => {
        count.results += 1
        return tell
      }),
      Effect.as([]),
      Effect.catchIf(isOfSource, (error) =>
        Effect.succeed([{ object: manifestKey(pending.result.place), reason: error.message }])
      )
    ) as Effect.Effect<ReadonlyArray<Remark>, StoreError>
  return { count, result }
})

const timeOf = ({ manifest }: CopiedResult): string => String(manifest.provenance.createdAt ?? "")

/** What misses are explained by, and results found by their names. */
const writeRecords = Effect.fn("StoreCopy.writeRecords")(function* (
  { runs }: CopySelection,
  results: ReadonlyArray<CopiedResult>
) {
  const jobs = Map.groupBy(results, ({ manifest: { job, pipeline }, place: { scope } }) =>
    JSON.stringify({ scope, pipeline, job })
  )
  yield* Effect.forEach(
    jobs.values(),
    (ofJob) => {
      const [{ manifest, place }] = ofJob as [CopiedResult]
      const name = { scope: place.scope, pipeline: manifest.pipeline, job: manifest.job }
      const latestFirst = [...ofJob].sort((a, b) => (timeOf(a) < timeOf(b) ? 1 : -1))
      return mergeRecent(
        name,
        latestFirst.map((one) => ({ key: one.place.key, createdAt: timeOf(one) }))
      )
    },
    { concurrency: numParallel, discard: true }
  )
  const store = yield* ObjectStore
  const stamps = yield* store.stamps(runs.map(({ object }) => object))
  const absent = runs.filter((_, index) => stamps[index] === undefined)
  const put = ({ object, report }: CopiedRun) =>
    Effect.ignore(writeJson(RunReport, object, report, { _tag: "Absent" }))
  yield* Effect.forEach(absent, put, { concurrency: numParallel, discard: true })
})

/** Does what was planned; a store that fails ends it, with what was copied in place. */
export const copy = Effect.fn("StoreCopy.copy")(function* (
  selection: CopySelection,
  plan: CopyPlan,
  options: CopyOptions
) {
  const mover = yield* makeMover(options)
  const refused = (yield* Effect.forEach(plan.pending, mover.result, { concurrency: numParallel })).flat()
  const lost = new Set([...refused, ...plan.occupied, ...plan.outdated].map(({ object }) => object))
  const whole = selection.results.filter(({ place }) => !lost.has(manifestKey(place)))
  const runs = selection.runs.filter(({ report }) =>
    report.jobs.every(
      ({ key }) =>
        key === null || ![...refused, ...plan.outdated].some(({ object }) => object.includes(key.slice(9)))
    )
  )
  yield* Effect.provideService(writeRecords({ ...selection, runs }, whole), ObjectStore, options.to.objects)
  const { blobs, results, sizeBytes } = mover.count
  return { numBlobs: blobs, numResults: results, sizeBytes, refused } satisfies Copied as Copied
})
