/** Runs the body of one stage in this process, as a job would: params and inputs checked, its output too. */

import { Effect, Layer, Schema } from "effect"
import { mainScope } from "../../lib/storage/Signature.ts"
import type { JobRequest, JobSignal } from "../../lib/workflow/Executor.ts"
import { recordsOf } from "../../lib/workflow/ExternalInputs.ts"
import type { Progress } from "../../lib/workflow/JobContext.ts"
import { runBody } from "../../lib/workflow/runBody.ts"
import { type AnyStage, canonicalParams, type StageOptions, type ValuesOf } from "../../lib/workflow/Stage.ts"
import { stateSealsLayer } from "../../lib/workflow/StateSeals.ts"
import { digestOf } from "../hashing.ts"
import { testExternalsLayer, testServicesLayer } from "../layers.ts"
import { passingSigningLayer } from "../signing/signing.ts"
import { type MemoryStore, makeMemoryStore } from "./memoryStore.ts"

export interface StageArgs<PE, I> {
  /** As in a pipeline: what has a default may be left out. */
  readonly params: PE
  /** The artifacts themselves, whose blobs lie in `store`. */
  readonly inputs: ValuesOf<I>
  /** Default: an empty one. */
  readonly store?: MemoryStore
  /** Aborted: the stage is asked to stop, as by Ctrl-C, and `runStage` rejects with `JobInterrupted`. */
  readonly signal?: AbortSignal
}

export interface StageRun<A> {
  readonly value: A
  /** Where the blobs of `value` lie. */
  readonly store: MemoryStore
  readonly notes: ReadonlyArray<string>
  readonly progress: ReadonlyArray<Progress>
  /** What it said about the run itself. */
  readonly provenance: Schema.JsonObject
}

/** Values as an executor is given them. */
const encodedInputs = (stage: AnyStage, inputs: { readonly [name: string]: unknown }) =>
  Object.fromEntries(
    Object.entries(stage.inputs).map(([name, input]) => {
      const value = inputs[name]
      if (!("_tag" in input)) return [name, Schema.encodeUnknownSync(input.schema)(value)]
      const encode = Schema.encodeUnknownSync(input.type.schema)
      return [
        name,
        Object.fromEntries(Object.entries(value as object).map(([key, one]) => [key, encode(one)]))
      ]
    })
  ) as JobRequest["inputs"]

/**
 * Services are the real ones (images, source files, tensors on the portable backend), blobs are in memory.
 * Rejects with `DefinitionError` for wrong params, `ExternalUnreadable` for a folder that is not there,
 * `StageFailed` with the body's own error in `errorTag` and `reason`, or `JobInterrupted`.
 */
export const runStage = async <P, PE, I, A, E, R>(
  stage: StageOptions<P, PE, I, A, E, R> & { readonly stageName: string },
  args: StageArgs<PE, I>
): Promise<StageRun<A>> => {
  const erased = stage as unknown as AnyStage
  const store = args.store ?? makeMemoryStore()
  const signals: Array<JobSignal> = []
  const params = canonicalParams(stage.stageName, erased.params, args.params)
  const outside = recordsOf(stage.stageName, { stage: erased, params }).pipe(
    Effect.provide(testExternalsLayer)
  )
  const inputs = encodedInputs(erased, args.inputs as { readonly [name: string]: unknown })
  const base = digestOf(JSON.stringify([stage.stageName, inputs]))
  const request = {
    jobName: stage.stageName,
    jobKey: digestOf(stage.stageName),
    stage: erased,
    params,
    externals: await Effect.runPromise(outside),
    inputs,
    foldOrigin: { base, scope: mainScope, runId: "test", fromScratch: false }
  }
  const ran = runBody(request, {
    onSignal: (signal) => Effect.sync(() => void signals.push(signal)),
    stopRequested: Effect.sync(() => args.signal?.aborted === true)
  }).pipe(
    Effect.provide(testServicesLayer({ tensors: erased.pool === "gpu" })),
    Effect.provide(Layer.provide(stateSealsLayer, passingSigningLayer)),
    Effect.provideContext(store.context)
  )
  const { provenance, value } = await Effect.runPromise(ran)
  return {
    value: Schema.decodeUnknownSync(stage.output.schema)(value),
    store,
    notes: signals.flatMap((signal) => (signal._tag === "Note" ? [signal.line] : [])),
    progress: signals.flatMap((signal) => (signal._tag === "Progress" ? [signal.progress] : [])),
    provenance
  }
}
