/**
 * The sweep of mark and sweep, beside runs that go on.
 *
 * What is swept is moved to the trash, where it is until its term is over. Then the store is looked at once
 * more, and what somebody has come to need meanwhile is put back. Whoever comes to need something says so
 * first (a run by its record, a publisher by its manifest) and looks whether it is there afterwards. So of a
 * sweep and a user at least one sees the other, however they interleave: the sweep puts it back, or the user
 * takes it back (`blobs`) or plans anew.
 */
import { Clock, Effect, Schema } from "effect"
import { freshMillis } from "../storage/blobs.ts"
import type { Digest } from "../storage/Digest.ts"
import { type Move, type ObjectInfo, ObjectStore } from "../storage/ObjectStore.ts"
import type { Scope } from "../storage/Signature.ts"
import { trashedKey, trashKey } from "../storage/trash.ts"
import { type Garbage, type GarbageFound, reachable } from "./Garbage.ts"
import { openRuns, whileOpen } from "./OpenRuns.ts"
import { manifestPlaceOf } from "./SignedManifest.ts"
import { allObjects, blobIn, everyObject, latestKeys, manifestsAmong } from "./StoreContents.ts"

/** Two sweeps at once could each put back what the other is just moving. */
export class SweepUnderWay extends Schema.TaggedError<SweepUnderWay>()("SweepUnderWay", {
  host: Schema.String,
  pid: Schema.Int,
  since: Schema.String
}) {
  override get message() {
    const { host, pid, since } = this
    return (
      `Another gc sweeps this store, on ${host} (pid ${pid}) since ${since}: ` +
      "run it again when that has ended."
    )
  }
}

export interface Swept {
  /** What is in the trash now, or gone for good. */
  readonly removed: ReadonlyArray<Garbage>
  /** Objects that somebody came to need meanwhile, or needs though they were in the trash. */
  readonly numRestored: number
  /** Bytes that the trash gave back. */
  readonly freedBytes: number
  readonly trashBytes: number
  /** Of uploads that nobody goes on with. */
  readonly numLeftovers: number
}

/** Listings and look-ups of one store may give times of another precision. */
const isRewritten = (before: ObjectInfo, now: ObjectInfo): boolean =>
  now.modifiedAtMillis - before.modifiedAtMillis >= 2000

const toTrash = ({ info }: Garbage): Move => ({
  from: info.key,
  to: trashKey(info.key),
  sizeBytes: info.sizeBytes
})

const fromTrash = ({ key, sizeBytes }: ObjectInfo): Move => ({ from: trashKey(key), to: key, sizeBytes })

/** Those that nobody has written, or put back, since they were looked at. */
const asBefore = Effect.fn("Sweep.asBefore")(function* (garbage: ReadonlyArray<Garbage>) {
  const now = new Map((yield* everyObject).map((info) => [info.key, info]))
  return garbage.filter(({ info }) => {
    const found = now.get(info.key)
    return found !== undefined && !isRewritten(info, found)
  })
})

/** Manifests before the blobs they name, but for what was written since it was looked at. */
const moveToTrash = Effect.fn("Sweep.moveToTrash")(function* (garbage: ReadonlyArray<Garbage>) {
  const store = yield* ObjectStore
  const results = garbage.filter(({ kind }) => kind === "result")
  const others = garbage.filter(({ kind }) => kind === "blob" || kind === "state")
  const records = garbage.filter(({ kind }) => kind === "record")
  const moved = yield* store.moveAll(
    (yield* asBefore(results)).map((one) => ({ ...toTrash(one), version: one.info.version }))
  )
  const movedToo = yield* store.moveAll((yield* asBefore(others)).map(toTrash))
  const gone = yield* asBefore(records)
  yield* store.removeAll(gone.map(({ info }) => info.key))
  const keys = new Set([...moved, ...movedToo].map(({ from }) => from))
  return [...garbage.filter(({ info }) => keys.has(info.key)), ...gone]
})

/** Of what was moved, the objects that are needed by what has come since. */
const secondLook = Effect.fn("Sweep.secondLook")(function* (
  found: GarbageFound,
  moved: ReadonlyArray<Garbage>
) {
  const { open } = yield* openRuns
  const { objects, setAside } = yield* allObjects
  const before = new Map(found.objects.map(({ key, version }) => [key, version]))
  const news = objects.filter(({ key, version }) => before.get(key) !== version)
  const added = yield* manifestsAmong(news)
  const manifests = [...found.manifests, ...added]
  const roots = [
    ...(yield* latestKeys(news)),
    ...open.flatMap(({ keys }) => keys),
    ...added.map(({ key }) => key)
  ]
  const live = reachable(roots, manifests)
  const standing = new Set(objects.map(({ key }) => key))
  const swept = new Set(moved.map(({ info }) => info.key))
  const isLive = ({ key }: ObjectInfo): boolean => {
    const place = manifestPlaceOf(key)
    return place !== undefined && live.has(place.key)
  }
  const results = moved.filter(
    ({ info, kind }) => kind === "result" && isLive(info) && !standing.has(info.key)
  )
  const back = new Set(results.map(({ info }) => info.key))
  const kept = manifests.filter(({ info }) => !swept.has(info.key) || back.has(info.key))
  const needed = new Set<Digest>(kept.flatMap(({ blobs }) => blobs.map(({ blob }) => blob)))
  const blobs = setAside.flatMap((info) => {
    const key = trashedKey(info.key)
    const digest = key === undefined ? undefined : blobIn(key)
    const isMissed = digest !== undefined && needed.has(digest) && !standing.has(key!)
    return isMissed ? [{ ...info, key: key! }] : []
  })
  return [...results.map(({ info }) => info), ...blobs]
})

export interface SweepOptions {
  /** How long what is swept can be put back. */
  readonly termMillis: number
  readonly sweeper: Sweeper
}

/** Under which others see the sweep. */
export interface Sweeper {
  /** Distinct from that of any other. */
  readonly id: string
  readonly scope: Scope
}

const prefix = "gc-"

/** It says first that it is there, and looks for others then: of two at least one sees the other. */
const alone = <A, E, R>({ id, scope }: Sweeper, act: Effect.Effect<A, E, R>) =>
  whileOpen(
    { runId: `${prefix}${id}`, scope },
    Effect.fnUntraced(function* ({ reads }) {
      yield* reads([])
      const { open } = yield* openRuns
      const other = open.find(
        ({ owner: { runId } }) => runId.startsWith(prefix) && runId !== `${prefix}${id}`
      )
      if (other === undefined) return yield* act
      const { host, pid } = other.owner
      return yield* new SweepUnderWay({ host, pid, since: other.startedAt })
    })
  )

/** Ends the term of what lies in the trash, or in quarantine. */
const empty = Effect.fn("Sweep.empty")(function* (termMillis: number) {
  const store = yield* ObjectStore
  const { setAside } = yield* allObjects
  // Asked after the listing: whoever may still need, or put back, what is listed was known before that.
  const others = (yield* openRuns).open.filter(({ owner }) => !owner.runId.startsWith(prefix))
  const ageMillis = Math.max(termMillis, others.length > 0 ? 2 * freshMillis : 0)
  const cutoff = (yield* Clock.currentTimeMillis) - ageMillis
  const over = setAside.filter(({ modifiedAtMillis }) => ageMillis === 0 || modifiedAtMillis < cutoff)
  yield* store.removeAll(over.map(({ key }) => key))
  const freedBytes = over.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  const heldBytes = setAside.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  return { freedBytes, trashBytes: heldBytes - freedBytes }
})

const sweepAlone = Effect.fn("Sweep.sweep")(function* (found: GarbageFound, termMillis: number) {
  const store = yield* ObjectStore
  const moved = yield* moveToTrash(found.garbage)
  const needed = yield* secondLook(found, moved)
  const restored = yield* store.moveAll(needed.map(fromTrash))
  const back = new Set(restored.map(({ to }) => to))
  const emptied = yield* empty(termMillis)
  return {
    removed: moved.filter(({ info }) => !back.has(info.key)),
    numRestored: restored.length,
    numLeftovers: yield* store.removeLeftovers(found.cutoffMillis),
    ...emptied
  } satisfies Swept as Swept
})

/** Moves what was found to the trash, and frees what has been there for its term. */
export const sweep = (found: GarbageFound, { sweeper, termMillis }: SweepOptions) =>
  alone(sweeper, sweepAlone(found, termMillis))

const restoreAlone = Effect.gen(function* () {
  const store = yield* ObjectStore
  const { objects, setAside } = yield* allObjects
  const standing = new Set(objects.map(({ key }) => key))
  const trashed = setAside.flatMap((info) => {
    const key = trashedKey(info.key)
    return key === undefined || standing.has(key) ? [] : [{ ...info, key }]
  })
  // Blobs first: a result is there whole or not at all.
  const isResult = ({ key }: ObjectInfo): boolean => manifestPlaceOf(key) !== undefined
  const parts = yield* store.moveAll(trashed.filter((info) => !isResult(info)).map(fromTrash))
  const results = yield* store.moveAll(trashed.filter(isResult).map(fromTrash))
  const moved = [...parts, ...results]
  return {
    numResults: results.length,
    numObjects: moved.length,
    sizeBytes: moved.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  }
})

/** Puts all that is in the trash back, but over nothing that stands there now. Gives what was put back. */
export const restore = (sweeper: Sweeper) => alone(sweeper, restoreAlone)
