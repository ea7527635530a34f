/**
 * One key is computed once, whoever asks for it: here, under its lease, or by another run that is waited for.
 *
 * The lease is taken with a place in the pool and given back with it, so waiting occupies none, and two runs
 * of one pipeline share its jobs.
 */

import { Clock, Deferred, Effect, Option, Schema } from "effect"
import type { Digest } from "../storage/Digest.ts"
import {
  type Acquisition,
  type Lease,
  type LeaseLost,
  type LeaseOwner,
  type LeaseRecord,
  Leases
} from "../storage/Lease.ts"
import type { StoreError } from "../storage/ObjectStore.ts"
import type { Scope } from "../storage/Signature.ts"
import { Reporter } from "./Reporter.ts"
import * as ResumePoint from "./ResumePoint.ts"
import type { DefinitionError } from "./Stage.ts"
import type { StartRule } from "./StartRule.ts"

const nameOf = ({ host, pid, runId }: LeaseOwner): string => `run ${runId} on ${host} (pid ${pid})`

/** Another run computes the job, and for longer than this one was told to wait. */
export class LeaseTimeout extends Schema.TaggedError<LeaseTimeout>()("LeaseTimeout", {
  jobName: Schema.String,
  holder: Schema.String,
  since: Schema.String,
  waitSeconds: Schema.Number
}) {
  override get message() {
    return (
      `Job "${this.jobName}" is computed by ${this.holder} since ${this.since}; ` +
      `it was waited for ${this.waitSeconds} s, which is all that was allowed. Run again later, allow more ` +
      "with --lease-timeout, or end that run: its work is then gone on with."
    )
  }
}

export interface Flight<A, E, R> {
  readonly job: string
  readonly key: Digest
  readonly runId: string
  /** Whose private states the job goes on from. */
  readonly stateScope: Scope
  /** How long to wait for other runs, in all; `undefined` for as long as it takes. */
  readonly waitMillisMax: number | undefined
  readonly starts: StartRule
  /** With a place in the pool. */
  readonly inPool: <B, F, S>(self: Effect.Effect<B, F, S>) => Effect.Effect<B, F, S>
  /** The result, if it is there by now: an equal job of this run, or another run, may have published it. */
  readonly find: Effect.Effect<Option.Option<A>, DefinitionError | StoreError, R>
  /**
   * Makes the result. `confirm` is to be run right before anything is published: it does not return where the
   * lease is lost, and the computing is interrupted.
   */
  readonly compute: (confirm: Effect.Effect<void, StoreError>) => Effect.Effect<A, E, R>
  /** What it ends with where nothing may start any more. */
  readonly refused: (because: string) => Effect.Effect<A, never, R>
}

type Landing<A> =
  | { readonly _tag: "Done"; readonly value: A }
  | { readonly _tag: "Lost" }
  | { readonly _tag: "Taken"; readonly by: LeaseRecord | undefined }

/** Looks, and computes, as long as the lease is ours. */
const guarded = Effect.fnUntraced(function* <A, E, R>(flight: Flight<A, E, R>, lease: Lease) {
  const lost = yield* Deferred.make<never, LeaseLost>()
  const confirm = Effect.catchTag(lease.confirm, "LeaseLost", (error) =>
    Effect.andThen(Deferred.fail(lost, error), Effect.never)
  )
  const isLost = Effect.raceFirst(lease.keepAlive, Deferred.await(lost)).pipe(
    Effect.catch(() => Effect.succeed<Landing<A>>({ _tag: "Lost" }))
  )
  const result = flight.find.pipe(
    Effect.flatMap(Option.match({ onNone: () => flight.compute(confirm), onSome: Effect.succeed })),
    Effect.map((value): Landing<A> => ({ _tag: "Done", value }))
  )
  return yield* Effect.raceFirst(result, isLost)
})

const tellDeposed = Effect.fnUntraced(function* (job: string, owner: LeaseOwner | undefined) {
  if (owner === undefined) return
  const { emit } = yield* Reporter
  yield* emit({ _tag: "JobNote", job, line: `taken over from ${nameOf(owner)}, which gives no sign of life` })
})

const attempt = <A, E, R>(flight: Flight<A, E, R>) =>
  Effect.gen(function* () {
    const refusal = yield* flight.starts.refusal
    if (refusal !== undefined) {
      return { _tag: "Done", value: yield* flight.refused(refusal) } satisfies Landing<A> as Landing<A>
    }
    const fly = (acquired: Acquisition) =>
      acquired._tag === "Taken"
        ? Effect.succeed<Landing<A>>(acquired)
        : Effect.andThen(tellDeposed(flight.job, acquired.deposed), guarded(flight, acquired.lease))
    const leases = yield* Leases
    return yield* Effect.acquireUseRelease(leases.acquire(flight.key, flight.runId), fly, (acquired) =>
      acquired._tag === "Acquired" ? acquired.lease.release : Effect.void
    )
  }).pipe(flight.inPool)

const firstPauseMillis = 50
const pauseGrowth = 1.5
/** A log shows that the waiting goes on. */
const reminderMillis = 60_000

/** Returns when the lease is free, or nothing may start any more. */
const wait = Effect.fnUntraced(function* <A, E, R>(
  { job, key, starts }: Flight<A, E, R>,
  first: LeaseRecord | undefined
) {
  const { emit } = yield* Reporter
  const leases = yield* Leases
  let holder = first
  let toldMillis = yield* Clock.currentTimeMillis
  yield* emit({ _tag: "JobWaiting", job, key, holder })
  for (let pause = firstPauseMillis; ; pause = Math.min(pause * pauseGrowth, leases.lookMillisMax)) {
    yield* Effect.sleep(pause)
    const holding = yield* leases.look(key)
    if (holding._tag === "Free" || (yield* starts.refusal) !== undefined) return
    const nowMillis = yield* Clock.currentTimeMillis
    if (holding.by?.nonce !== holder?.nonce || nowMillis - toldMillis >= reminderMillis) {
      holder = holding.by
      toldMillis = nowMillis
      yield* emit({ _tag: "JobWaiting", job, key, holder })
    }
  }
})

const timedOut = (job: string, by: LeaseRecord | undefined, waitMillis: number): LeaseTimeout =>
  new LeaseTimeout({
    jobName: job,
    holder: by === undefined ? "an unreadable lease" : nameOf(by.owner),
    since: by?.since ?? "an unknown time",
    waitSeconds: Math.round(waitMillis / 1000)
  })

/** Waits until the lease is free, a stop is asked for, or `leftMillis` are over; how long it took. */
const waited = Effect.fnUntraced(function* <A, E, R>(
  flight: Flight<A, E, R>,
  by: LeaseRecord | undefined,
  leftMillis: number
) {
  const startedMillis = yield* Clock.currentTimeMillis
  const ended = Effect.raceFirst(wait(flight, by), flight.starts.stopAsked)
  if (flight.waitMillisMax === undefined) yield* ended
  else {
    yield* Effect.timeoutOrElse(ended, {
      duration: leftMillis,
      orElse: () => Effect.fail(timedOut(flight.job, by, flight.waitMillisMax!))
    })
  }
  return (yield* Clock.currentTimeMillis) - startedMillis
})

const lostNote = "another run took it over, because this one gave no sign of life for too long"

/**
 * Computes under the lease of the key, or waits for whoever holds it and looks again. Fails with
 * `LeaseTimeout` where the others take too long.
 */
export const singleFlight = Effect.fn("singleFlight")(function* <A, E, R>(flight: Flight<A, E, R>) {
  const { emit } = yield* Reporter
  let leftMillis = flight.waitMillisMax ?? 0
  let wasLost = false
  for (;;) {
    const landing = yield* attempt(flight)
    if (landing._tag === "Done") return landing.value
    if (landing._tag === "Lost") {
      wasLost = true
      yield* emit({ _tag: "JobNote", job: flight.job, line: lostNote })
    } else leftMillis = Math.max(0, leftMillis - (yield* waited(flight, landing.by, leftMillis)))
    const found = yield* flight.find
    if (Option.isSome(found)) {
      // What our own body saved after it was deposed serves nobody any more.
      if (wasLost) yield* Effect.ignore(ResumePoint.clear({ scope: flight.stateScope, jobKey: flight.key }))
      return found.value
    }
  }
})
