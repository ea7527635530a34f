/** `Leases` on any `ObjectStore` with conditional writes. */
import { Clock, DateTime, Effect, Layer, Option, Random, Ref, Schema } from "effect"
import type { Digest } from "./Digest.ts"
import {
  type Acquisition,
  type Holding,
  type Lease,
  LeaseLost,
  LeaseRecord,
  Leases,
  leaseKey,
  OwnerLiveness
} from "./Lease.ts"
import { ObjectStore, type PutCondition, type StoreError } from "./ObjectStore.ts"
import type { Scope } from "./Signature.ts"

const monotonicMillis = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos / 1_000_000n))

const RecordText = Schema.fromJsonString(LeaseRecord)
const encode = Schema.encodeSync(RecordText)
const decode = Schema.decodeUnknownOption(RecordText)

const makeNonce = Effect.map(
  Effect.all(Array.from({ length: 4 }, () => Random.nextIntBetween(0, 0xffffffff))),
  (words) => words.map((word) => word.toString(16).padStart(8, "0")).join("")
)

/** What is larger is no record of ours. */
const recordBytesMax = 65_536

interface Standing {
  /** Of `record` or one before it: a swap of this version that succeeds proves that it was the record's. */
  readonly version: string
  /** `undefined` where it is unreadable. */
  readonly record: LeaseRecord | undefined
}

/** A version as it was watched, on our own monotonic clock. */
interface Sighting extends Standing {
  readonly firstMillis: number
  readonly lastMillis: number
  /** It was seen unchanged for a whole lease. Nobody can make that untrue for this version. */
  readonly isAbandoned: boolean
}

export interface LeaseOptions {
  /** How long an owner may be silent before it is taken over; it renews at a third of that. */
  readonly leaseMillis: number
  /** Whose writers share them. */
  readonly scope: Scope
}

/** Reading and writing lease records; shared by all leases of a process. */
interface Records {
  readonly leaseMillis: number
  /** `known` is returned where it still stands. */
  readonly stand: (key: Digest, known?: Standing) => Effect.Effect<Standing, StoreError>
  /**
   * Writes if the condition holds, and returns the version; `None` where another's record stands there. A
   * write of our own that we know nothing of, its answer being lost, is swapped for this one.
   */
  readonly swap: (
    key: Digest,
    record: LeaseRecord,
    condition: PutCondition
  ) => Effect.Effect<Option.Option<string>, StoreError>
}

/** Each time an answer of ours was lost. */
const numSwapsMax = 5

const makeRecords = (store: ObjectStore["Service"], { leaseMillis, scope }: LeaseOptions): Records => {
  const objectOf = (key: Digest): string => leaseKey(scope, key)
  const stand = Effect.fn("Leases.stand")(function* (key: Digest, known?: Standing) {
    const { version } = yield* store.head(objectOf(key))
    if (known?.version === version) return known
    const record = yield* store.get(objectOf(key), recordBytesMax).pipe(
      Effect.map((bytes) => Option.getOrUndefined(decode(new TextDecoder().decode(bytes)))),
      Effect.catchTag("ObjectTooLarge", () => Effect.succeed(undefined))
    )
    return { version, record } satisfies Standing as Standing
  })
  const put = (key: Digest, record: LeaseRecord, condition: PutCondition) =>
    // No owner outlives a power cut, so its lease need not.
    store.put(objectOf(key), new TextEncoder().encode(`${encode(record)}\n`), condition, "volatile").pipe(
      Effect.map((info) => Option.some(info.version)),
      Effect.catchTag("PreconditionFailed", () => Effect.succeed(Option.none<string>()))
    )
  const swap: Records["swap"] = Effect.fn("Leases.swap")(function* (key, record, condition) {
    let holds = condition
    for (let i = 0; i < numSwapsMax; i++) {
      const written = yield* put(key, record, holds)
      if (Option.isSome(written)) return written
      const standing = yield* stand(key).pipe(
        Effect.catchTag("ObjectNotFound", () => Effect.succeed(undefined))
      )
      if (standing?.record?.nonce !== record.nonce) return Option.none()
      const { version } = standing
      const isThisOne = standing.record.sequence === record.sequence && standing.record.state === record.state
      if (isThisOne) return Option.some(version)
      holds = { _tag: "Version", version }
    }
    return Option.none()
  })
  return { leaseMillis, stand, swap }
}

interface Held {
  readonly version: string
  readonly sequence: number
  /** When the last write that succeeded was begun. */
  readonly confirmedMillis: number
}

/** The owner's side of a lease. Two writes at once do no harm: each finds the other's to be its own. */
const makeLease = Effect.fnUntraced(function* (
  records: Records,
  key: Digest,
  record: LeaseRecord,
  acquired: Held
) {
  const held = yield* Ref.make(acquired)
  const lost = new LeaseLost({ key, epoch: record.epoch })
  const write = Effect.fnUntraced(function* (state: LeaseRecord["state"]) {
    const confirmedMillis = yield* monotonicMillis
    const { version, ...before } = yield* Ref.get(held)
    const sequence = before.sequence + 1
    const condition: PutCondition = { _tag: "Version", version }
    const written = yield* records.swap(key, { ...record, state, sequence }, condition)
    if (Option.isNone(written)) return yield* lost
    yield* Ref.set(held, { version: written.value, sequence, confirmedMillis })
  })
  const beatMillis = records.leaseMillis / 3
  const renew = write("held")
  const confirm = Effect.gen(function* () {
    const sinceMillis = (yield* monotonicMillis) - (yield* Ref.get(held)).confirmedMillis
    if (sinceMillis >= beatMillis) yield* renew
  })
  const beat = Effect.sleep(beatMillis).pipe(
    Effect.andThen(renew),
    Effect.catch((error) => (error._tag === "LeaseLost" ? Effect.fail(error) : Effect.void))
  )
  return {
    epoch: record.epoch,
    renew,
    confirm,
    keepAlive: Effect.forever(beat),
    release: write("released").pipe(
      Effect.interruptible,
      Effect.timeout("5 seconds"),
      Effect.ignore,
      Effect.uninterruptible
    )
  } satisfies Lease as Lease
})

/** The watcher's side: what was seen of each key, and whether it is free by that. */
const makeWatch = (records: Records, liveness: OwnerLiveness["Service"]) => {
  const sightings = new Map<Digest, Sighting>()
  const sight = Effect.fn("Leases.sight")(function* (key: Digest) {
    const askedMillis = yield* monotonicMillis
    const before = sightings.get(key)
    const standing = yield* records.stand(key, before)
    const nowMillis = yield* monotonicMillis
    const leaseMillis = standing.record?.leaseMillis ?? records.leaseMillis
    const isSame = before?.version === standing.version
    // Who slept through half a lease, or waited so long for the store's answer, maybe together with the
    // owner, has not seen that it was silent.
    const goesOn = isSame && nowMillis - before.lastMillis <= leaseMillis / 2
    const firstMillis = goesOn ? before.firstMillis : nowMillis
    const isAbandoned = (isSame && before.isAbandoned) || askedMillis - firstMillis >= leaseMillis
    const sighting: Sighting = { ...standing, firstMillis, lastMillis: nowMillis, isAbandoned }
    sightings.set(key, sighting)
    return sighting
  })
  const isFree = ({ isAbandoned, record }: Sighting) => {
    if (isAbandoned || record?.state === "released") return Effect.succeed(true)
    return record === undefined ? Effect.succeed(false) : liveness.isGone(record.owner)
  }
  return { sight, isFree, forget: (key: Digest) => sightings.delete(key) }
}

const make = (
  store: ObjectStore["Service"],
  liveness: OwnerLiveness["Service"],
  options: LeaseOptions
): Leases["Service"] => {
  const { leaseMillis } = options
  const records = makeRecords(store, options)
  const watch = makeWatch(records, liveness)

  /** One attempt; `None` where another was faster, so that it is to be looked at anew. */
  const attempt = Effect.fnUntraced(function* (key: Digest, wished: LeaseRecord) {
    const startedMillis = yield* monotonicMillis
    const acquired = (version: string, record: LeaseRecord, deposed: LeaseRecord | undefined) =>
      makeLease(records, key, record, {
        version,
        sequence: record.sequence,
        confirmedMillis: startedMillis
      }).pipe(
        Effect.map((lease): Option.Option<Acquisition> => {
          watch.forget(key)
          const owner = deposed?.state === "held" ? deposed.owner : undefined
          return Option.some({ _tag: "Acquired", lease, deposed: owner })
        })
      )
    const first = yield* records.swap(key, wished, { _tag: "Absent" })
    if (Option.isSome(first)) return yield* acquired(first.value, wished, undefined)
    const seen = yield* watch.sight(key)
    if (!(yield* watch.isFree(seen))) {
      return Option.some<Acquisition>({ _tag: "Taken", by: seen.record })
    }
    const next = { ...wished, epoch: (seen.record?.epoch ?? 0) + 1 }
    const written = yield* records.swap(key, next, { _tag: "Version", version: seen.version })
    return Option.isSome(written) ? yield* acquired(written.value, next, seen.record) : Option.none()
  })

  return {
    lookMillisMax: Math.min(2000, leaseMillis / 6),
    acquire: Effect.fn("Leases.acquire")(function* (key, runId) {
      const wished: LeaseRecord = {
        schemaVersion: 1,
        state: "held",
        owner: { ...liveness.self, runId },
        nonce: yield* makeNonce,
        epoch: 1,
        sequence: 0,
        since: DateTime.formatIso(yield* DateTime.now),
        leaseMillis
      }
      for (;;) {
        const ended = yield* Effect.catchTag(attempt(key, wished), "ObjectNotFound", () =>
          Effect.succeed(Option.none<Acquisition>())
        )
        if (Option.isSome(ended)) return ended.value
      }
    }),
    look: (key) =>
      Effect.gen(function* () {
        const seen = yield* watch.sight(key)
        const holding: Holding = (yield* watch.isFree(seen))
          ? { _tag: "Free" }
          : { _tag: "Taken", by: seen.record }
        return holding
      }).pipe(Effect.catchTag("ObjectNotFound", () => Effect.succeed<Holding>({ _tag: "Free" })))
  }
}

/** On a store without conditional writes: everybody gets everything, and work may be done twice. */
const unleased: Leases["Service"] = {
  lookMillisMax: Number.POSITIVE_INFINITY,
  look: () => Effect.succeed({ _tag: "Free" }),
  acquire: () =>
    Effect.succeed({
      _tag: "Acquired",
      lease: {
        epoch: 0,
        renew: Effect.void,
        confirm: Effect.void,
        keepAlive: Effect.never,
        release: Effect.void
      },
      deposed: undefined
    })
}

export const leasesLayer = (options: LeaseOptions): Layer.Layer<Leases, never, ObjectStore | OwnerLiveness> =>
  Layer.effect(
    Leases,
    Effect.gen(function* () {
      const store = yield* ObjectStore
      const liveness = yield* OwnerLiveness
      return store.isConditional ? make(store, liveness, options) : unleased
    })
  )
