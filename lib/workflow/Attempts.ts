/** Attempts at one job: an error that may pass by itself leads to another one, later each time. */
import { Effect, Random } from "effect"
import type { JobError, StageFailed, WorkerLost } from "./Executor.ts"
import type { Retries } from "./Stage.ts"

export const defaultRetries: Retries = { times: 2, baseMillis: 1_000 }

const waitMaxMillis = 60_000

export type TransientError = StageFailed | WorkerLost

export interface FailedAttempt {
  /** From 1. */
  readonly attempt: number
  readonly attemptsMax: number
  readonly waitMillis: number
  readonly error: TransientError
}

/** A process that was lost twice will be lost again: there is too little memory, or somebody means it. */
const lossesMax = 1

const mayPass = (error: { readonly _tag: string }, attempt: number): error is TransientError => {
  if (error._tag === "StageFailed") return (error as StageFailed).transient
  return error._tag === "WorkerLost" && (error as WorkerLost).transient && attempt <= lossesMax
}

/** Twice as long each time, within a quarter, so that jobs that failed together do not come back together. */
const waitBefore = (attempt: number, { baseMillis }: Retries) =>
  Effect.map(Random.nextBetween(0.75, 1.25), (chance) =>
    Math.round(Math.min(waitMaxMillis, baseMillis * 2 ** (attempt - 1)) * chance)
  )

export interface RetryOptions {
  readonly retries: Retries
  readonly onRetry: (failed: FailedAttempt) => Effect.Effect<void>
  /** Completes when nobody wants the result any more: the wait ends, and `attempt` has the last word. */
  readonly stopAsked: Effect.Effect<void>
}

export const retried = <A, E extends { readonly _tag: string }, R>(
  attempt: Effect.Effect<A, E | JobError, R>,
  { onRetry, retries, stopAsked }: RetryOptions
): Effect.Effect<A, E | JobError, R> => {
  const from = (number: number): Effect.Effect<A, E | JobError, R> =>
    Effect.catch(attempt, (error) =>
      Effect.gen(function* () {
        if (number > retries.times || !mayPass(error, number)) return yield* Effect.fail(error)
        const waitMillis = yield* waitBefore(number, retries)
        yield* onRetry({ attempt: number, attemptsMax: retries.times + 1, waitMillis, error })
        yield* Effect.raceFirst(Effect.sleep(waitMillis), stopAsked)
        return yield* from(number + 1)
      })
    )
  return from(1)
}
