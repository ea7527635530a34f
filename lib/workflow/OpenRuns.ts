/**
 * Runs that go on now, and the results they read: `running/<scope>/<run id>.json`, renewed while the run goes
 * on and removed when it ends. What such a run needs is not swept, though nothing else may name it.
 */
import { Clock, DateTime, Effect, Schema, Semaphore, Stream } from "effect"
import { Digest } from "../storage/Digest.ts"
import { LeaseOwner, OwnerLiveness } from "../storage/Lease.ts"
import { ObjectStore } from "../storage/ObjectStore.ts"
import type { Scope } from "../storage/Signature.ts"
import { ifPresent, readJson, writeJson } from "./jsonObjects.ts"

const OpenRun = Schema.Struct({
  schemaVersion: Schema.Literal(1),
  owner: LeaseOwner,
  /** ISO 8601, UTC. */
  startedAt: Schema.String,
  /** Job keys of the results that it reads. */
  keys: Schema.Array(Digest)
})
export type OpenRun = typeof OpenRun.Type

const prefix = "running/"

const renewMillis = 5 * 60_000

/** Of a process elsewhere nobody knows whether it is gone, but that it was silent for so long. */
const silentMillisMax = 3_600_000

export interface RunName {
  readonly runId: string
  /** Where it writes. */
  readonly scope: Scope
}

export interface RunRecord {
  /**
   * Says that the run needs these results until it ends. What is looked at after this and is there is not
   * swept. A store that cannot be written to is told by the jobs.
   */
  readonly reads: (keys: ReadonlyArray<Digest>) => Effect.Effect<void>
}

const makeRecord = Effect.fnUntraced(function* ({ runId, scope }: RunName) {
  const store = yield* ObjectStore
  const { self } = yield* OwnerLiveness
  const startedAt = DateTime.formatIso(yield* DateTime.now)
  const key = `${prefix}${scope}/${runId}.json`
  const keys = new Set<Digest>()
  const turn = Semaphore.makeUnsafe(1)
  let isWritten = false
  let isBehind = false
  const write = Effect.suspend(() => {
    isWritten = true
    isBehind = false
    const run: OpenRun = { schemaVersion: 1, owner: { ...self, runId }, startedAt, keys: [...keys] }
    return Effect.ignore(
      Effect.provideService(writeJson(OpenRun, key, run, undefined, "volatile"), ObjectStore, store)
    )
  })
  // Who waits for another's write finds its own keys written by the next one, whoever does that.
  const catchUp = turn.withPermit(Effect.suspend(() => (isBehind ? write : Effect.void)))
  return {
    reads: (more: ReadonlyArray<Digest>) =>
      Effect.suspend(() => {
        isBehind ||= !isWritten || more.some((one) => !keys.has(one))
        for (const one of more) keys.add(one)
        return catchUp
      }),
    renew: Effect.forever(
      Effect.andThen(
        Effect.sleep(renewMillis),
        Effect.suspend(() => (isWritten ? turn.withPermit(write) : Effect.void))
      )
    ),
    close: Effect.suspend(() => (isWritten ? Effect.ignore(store.remove(key)) : Effect.void))
  }
})

/** Known to others as long as `run` goes on, from when it first says what it reads. */
export const whileOpen = <A, E, R>(
  name: RunName,
  run: (record: RunRecord) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R | ObjectStore | OwnerLiveness> =>
  Effect.acquireUseRelease(
    makeRecord(name),
    (record) => Effect.raceFirst(run(record), record.renew),
    ({ close }) => close
  )

/**
 * The runs whose process is not certainly gone and not silent for long; `forgotten` are the objects of the
 * others.
 */
export const openRuns = Effect.gen(function* () {
  const store = yield* ObjectStore
  const { isGone } = yield* OwnerLiveness
  const now = yield* Clock.currentTimeMillis
  const open: Array<OpenRun> = []
  const forgotten: Array<string> = []
  for (const { key, modifiedAtMillis } of yield* Stream.runCollect(store.list(prefix))) {
    const read = yield* ifPresent(readJson(OpenRun, key))
    if (read._tag === "None") continue
    const run = read.value._tag === "Some" ? read.value.value : undefined
    const isSilent = now - modifiedAtMillis > silentMillisMax
    if (run === undefined || isSilent || (yield* isGone(run.owner))) forgotten.push(key)
    else open.push(run)
  }
  return { open, forgotten }
})
