/** Whether a run may start more jobs: not once it was asked to stop, nor, by default, once one failed. */
import { Deferred, Effect, Ref } from "effect"

export interface StartRule {
  /** Why nothing more is started; `undefined` while jobs may start. */
  readonly refusal: Effect.Effect<string | undefined>
  /** Completes when the run is asked to stop. */
  readonly stopAsked: Effect.Effect<void>
  readonly tellFailure: (job: string) => Effect.Effect<void>
}

/** `keepGoing`: after a failure, what does not depend on it is started all the same. */
export const makeStartRule = (stop: Deferred.Deferred<void>, keepGoing: boolean): Effect.Effect<StartRule> =>
  Effect.map(Ref.make<string | undefined>(undefined), (firstFailed) => ({
    refusal: Effect.gen(function* () {
      if (yield* Deferred.isDone(stop)) return "the run was asked to stop"
      const failed = yield* Ref.get(firstFailed)
      if (failed === undefined || keepGoing) return undefined
      return `not started, because "${failed}" failed (--keep-going starts what does not depend on it)`
    }),
    stopAsked: Deferred.await(stop),
    tellFailure: (job) => Ref.update(firstFailed, (first) => first ?? job)
  }))
