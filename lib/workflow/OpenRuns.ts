/**
 * Runs that go on now, and the results they read: `running/<run id>.json`, removed when the run ends. What
 * such a run needs is not swept, though nothing else may name it.
 */
import { Clock, DateTime, Effect, Schema, Stream } from "effect"
import { Digest } from "../storage/Digest.ts"
import { LeaseOwner, OwnerLiveness } from "../storage/Lease.ts"
import { ObjectStore } from "../storage/ObjectStore.ts"
import { ifPresent, readJson, writeJson } from "./jsonObjects.ts"

const OpenRun = Schema.Struct({
  schemaVersion: Schema.Literal(1),
  owner: LeaseOwner,
  /** ISO 8601, UTC. */
  startedAt: Schema.String,
  /** Job keys of the hits that it was planned with. */
  keys: Schema.Array(Digest)
})
export type OpenRun = typeof OpenRun.Type

const prefix = "running/"

/** Of a process elsewhere nobody knows whether it is gone; no run takes this long. */
const ageMaxMillis = 14 * 24 * 3_600_000

/** Known to others as long as `run` goes on. A store that cannot be written to is told by the jobs. */
export const whileOpen = <A, E, R>(
  runId: string,
  keys: ReadonlyArray<Digest>,
  run: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R | ObjectStore | OwnerLiveness> => {
  const key = `${prefix}${runId}.json`
  const open = Effect.gen(function* () {
    const { self } = yield* OwnerLiveness
    const startedAt = DateTime.formatIso(yield* DateTime.now)
    yield* writeJson(OpenRun, key, { schemaVersion: 1, owner: { ...self, runId }, startedAt, keys })
  })
  const close = Effect.flatMap(ObjectStore, (store) => store.remove(key))
  return Effect.acquireUseRelease(
    Effect.ignore(open),
    () => run,
    () => Effect.ignore(close)
  )
}

/** The runs whose process is not certainly gone, or of old; `forgotten` are the objects of the others. */
export const openRuns = Effect.gen(function* () {
  const store = yield* ObjectStore
  const { isGone } = yield* OwnerLiveness
  const now = yield* Clock.currentTimeMillis
  const open: Array<OpenRun> = []
  const forgotten: Array<string> = []
  for (const { key } of yield* Stream.runCollect(store.list(prefix))) {
    const read = yield* ifPresent(readJson(OpenRun, key))
    if (read._tag === "None") continue
    const run = read.value._tag === "Some" ? read.value.value : undefined
    const isOld = run !== undefined && now - Date.parse(run.startedAt) > ageMaxMillis
    if (run === undefined || isOld || (yield* isGone(run.owner))) forgotten.push(key)
    else open.push(run)
  }
  return { open, forgotten }
})
