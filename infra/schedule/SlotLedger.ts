/** What became of the slots of each schedule: up to when they are settled, and who is at it. */
import { Context, type Effect, Schema, type Scope } from "effect"

export const LastRun = Schema.Struct({
  startedAtMillis: Schema.Int,
  endedAtMillis: Schema.Int,
  exitCode: Schema.Int
})
export type LastRun = typeof LastRun.Type

export interface Settled {
  /** Every slot up to here was run, or skipped because a run was going on. */
  readonly untilMillis: number
  readonly lastRun: LastRun
}

export class LedgerFailed extends Schema.TaggedError<LedgerFailed>()("LedgerFailed", {
  location: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `${this.location}: ${this.reason}`
  }
}

export type Claim =
  /** `share`: the claim lasts until that process is gone too, should it outlive us. */
  | { readonly _tag: "Ours"; readonly share: (pid: number) => Effect.Effect<void> }
  /** `by`: the process that has it, in words. */
  | { readonly _tag: "Held"; readonly by: string }

/**
 * Shared by the scheduler and by lines in crontabs. A slot is settled when its run has ended, not when it
 * starts: a run that is cut off, by whatever, leaves its slot to be run again.
 */
export class SlotLedger extends Context.Service<
  SlotLedger,
  {
    readonly settled: (schedule: string) => Effect.Effect<Settled | undefined, LedgerFailed>
    readonly settle: (schedule: string, settled: Settled) => Effect.Effect<void, LedgerFailed>
    /** The right to run a schedule, for one process at a time; given back with the scope, or by its death. */
    readonly claim: (schedule: string) => Effect.Effect<Claim, LedgerFailed, Scope.Scope>
  }
>()("infra/schedule/SlotLedger") {}
