/** `distillery plan` */
import { Effect } from "effect"
import * as Plan from "../../lib/workflow/Plan.ts"
import { planningLayer } from "../layers.ts"
import { planDocument, planLines } from "../reporting/planTable.ts"
import { read } from "../settings.ts"
import { AlreadyReported, exitCodes } from "./errors.ts"
import { findPipeline, pipelineFileOf } from "./findPipeline.ts"
import { Output, printJson } from "./Output.ts"
import { type SelectionFlags, selectionFrom, withOverrides } from "./selection.ts"

export interface PlanFlags extends SelectionFlags {
  readonly pipeline: string
  readonly set: ReadonlyArray<string>
  readonly json: boolean
  readonly check: boolean
}

export const plan = Effect.fn("plan")(function* (flags: PlanFlags) {
  const { paint, print } = yield* Output
  const settings = yield* read
  const pipeline = yield* Effect.flatMap(findPipeline(flags.pipeline), (found) =>
    withOverrides(found, flags.set)
  )
  const selection = yield* selectionFrom(pipeline, flags)
  const made = yield* Effect.provide(
    Plan.make(pipeline, selection),
    planningLayer({ settings, pipelineFile: pipelineFileOf(flags.pipeline) })
  )
  yield* flags.json ? printJson(planDocument(made)) : print(planLines(made, paint))
  if (flags.check && Plan.pendingJobs(made).length > 0) {
    return yield* new AlreadyReported({ exitCode: exitCodes.pending })
  }
})
