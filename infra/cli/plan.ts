/** `distillery plan` */
import { Effect } from "effect"
import { estimatePlan } from "../../lib/workflow/Estimate.ts"
import type { Pipeline } from "../../lib/workflow/Pipeline.ts"
import * as Plan from "../../lib/workflow/Plan.ts"
import { planningLayer } from "../layers.ts"
import { type Expectation, planDocument, planLines } from "../reporting/planTable.ts"
import { read, type SettingsValue } from "../settings.ts"
import { freeBytes } from "../stores/freeSpace.ts"
import { AlreadyReported, exitCodes } from "./errors.ts"
import { findPipeline, pipelineFileOf } from "./findPipeline.ts"
import { Output, printJson } from "./Output.ts"
import { type SelectionFlags, selectionFrom, withOverrides } from "./selection.ts"

type Alike = Parameters<typeof estimatePlan>[2]

export interface PlanFlags extends SelectionFlags {
  readonly pipeline: string
  readonly set: ReadonlyArray<string>
  readonly json: boolean
  readonly check: boolean
}

/** What is pending is estimated; a store that is no folder has room for all. */
const expectation = Effect.fn("expectation")(function* (
  settings: SettingsValue,
  made: Plan.Plan,
  alike: Alike
) {
  const { concurrency, gpuConcurrency, store } = settings
  const estimate = yield* estimatePlan(made, { cpu: concurrency, gpu: gpuConcurrency }, alike)
  const free = store.kind === "folder" ? yield* freeBytes(store.folder) : undefined
  return { estimate, freeBytes: free } satisfies Expectation
})

/** Shows what a run of this pipeline would do. Fails with `AlreadyReported` where `check` finds work. */
export const planPipeline = Effect.fn("planPipeline")(function* (
  flags: PlanFlags,
  pipeline: Pipeline,
  alike?: Alike
) {
  const { paint, print } = yield* Output
  const settings = yield* read
  const selection = yield* selectionFrom(pipeline, flags)
  const { expected, made } = yield* Effect.provide(
    Effect.gen(function* () {
      const made = yield* Plan.make(pipeline, selection)
      return { made, expected: yield* expectation(settings, made, alike) }
    }),
    planningLayer({ settings, pipelineFile: pipelineFileOf(flags.pipeline) })
  )
  yield* flags.json ? printJson(planDocument(made, expected)) : print(planLines(made, paint, expected))
  if (flags.check && Plan.pendingJobs(made).length > 0) {
    return yield* new AlreadyReported({ exitCode: exitCodes.pending })
  }
})

export const plan = Effect.fn("plan")(function* (flags: PlanFlags) {
  const found = yield* findPipeline(flags.pipeline)
  yield* planPipeline(flags, yield* withOverrides(found, flags.set))
})
