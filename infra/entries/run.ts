/**
 * `distillery/run`: what the commands `plan` and `run` do, as functions. Settings come from the environment,
 * as they do there; files lie below the working directory.
 */
import { sep } from "node:path"
import { Effect, Layer } from "effect"
import type { Pipeline } from "../../lib/workflow/Pipeline.ts"
import * as Plan from "../../lib/workflow/Plan.ts"
import { Reporter } from "../../lib/workflow/Reporter.ts"
import type { RunEvent } from "../../lib/workflow/RunEvent.ts"
import { Runner, type RunOptions as RunnerOptions, type RunOutcome } from "../../lib/workflow/Runner.ts"
import type { Selection } from "../../lib/workflow/Selection.ts"
import { childFile } from "../childFile.ts"
import { runtimeNotices } from "../cli/runtimeNotices.ts"
import { engineLayer, planningLayer } from "../layers.ts"
import { read } from "../settings.ts"

export type { RunEvent } from "../../lib/workflow/RunEvent.ts"
export type { RunOutcome } from "../../lib/workflow/Runner.ts"
export type { Selection } from "../../lib/workflow/Selection.ts"

export interface PlanOptions {
  /**
   * The module that defines the pipeline, for stages of your own, which are found from there:
   * `import.meta.filename`. Default: the program that was started.
   */
  readonly pipelineFile?: string
  /** Default: everything. */
  readonly selection?: Selection
  /** Aborted: the promise rejects. */
  readonly signal?: AbortSignal
}

/** What a run would do and why, without doing it. Rejects with what makes a plan impossible. */
export const plan = (pipeline: Pipeline, options: PlanOptions = {}): Promise<Plan.Plan> => {
  const { pipelineFile = startedProgram(), selection = {}, signal } = options
  return Effect.runPromise(
    Effect.flatMap(read, (settings) =>
      Effect.provide(Plan.make(pipeline, selection), planningLayer({ settings, pipelineFile }))
    ),
    signal && { signal }
  )
}

/** A tool that runs programs (a test runner, say) defines no stages. */
const startedProgram = (): string | undefined => {
  const [, file] = process.argv
  return file === undefined || file.includes(`${sep}node_modules${sep}`) ? undefined : file
}

export interface RunOptions extends Partial<RunnerOptions>, Pick<PlanOptions, "pipelineFile"> {
  /**
   * Aborted: nothing new starts and jobs stop at their next step, their state kept; the run then ends
   * "stopped".
   */
  readonly signal?: AbortSignal
  /** Called as things happen; jobs wait for it. */
  readonly onEvent?: (event: RunEvent) => void
  /** A line about the tensor runtime: that it is fetched, or that the portable one serves. */
  readonly onNotice?: (line: string) => void
}

/** Waits until the signal is aborted. */
const aborted = (signal: AbortSignal) =>
  Effect.callback<void>((resume) => {
    const onAbort = () => resume(Effect.void)
    if (signal.aborted) return onAbort()
    signal.addEventListener("abort", onAbort, { once: true })
    return Effect.sync(() => signal.removeEventListener("abort", onAbort))
  })

/**
 * Runs what is selected, every job in a process of its own, and resolves however the jobs ended: `report`
 * says how, `manifests` hold what they made. Rejects before anything started, with what makes a plan
 * impossible.
 */
export const run = (pipeline: Pipeline, options: RunOptions = {}): Promise<RunOutcome> => {
  const { onEvent, onNotice, pipelineFile = startedProgram(), signal, ...runnerOptions } = options
  const program = Effect.gen(function* () {
    const settings = yield* read
    const { concurrency, gpuConcurrency } = settings
    const engine = engineLayer({
      settings,
      pipelineFile,
      executor: "warm",
      strict: false,
      childFile: childFile(),
      notices: runtimeNotices((line) => Effect.sync(() => onNotice?.(line)))
    })
    const reporter = Layer.succeed(Reporter, { emit: (event) => Effect.sync(() => onEvent?.(event)) })
    return yield* Effect.gen(function* () {
      const runner = yield* Runner
      if (signal !== undefined) {
        yield* Effect.forkScoped(Effect.andThen(aborted(signal), runner.requestStop))
      }
      return yield* runner.run(pipeline, { selection: {}, concurrency, gpuConcurrency, ...runnerOptions })
    }).pipe(Effect.provide(Layer.provide(engine, reporter)))
  })
  return Effect.runPromise(Effect.scoped(program))
}
