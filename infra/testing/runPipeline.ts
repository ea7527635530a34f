/** Runs a pipeline in this process, in memory: the engine is the real one, code and machine stand still. */

import { Effect, Layer, Schema } from "effect"
import { leasesLayer } from "../../lib/storage/leases.ts"
import { mainScope } from "../../lib/storage/Signature.ts"
import type { ArtifactRef } from "../../lib/workflow/Artifact.ts"
import { Capabilities, CodeClosure } from "../../lib/workflow/CodeClosure.ts"
import { manifestStoreLayer } from "../../lib/workflow/ManifestStore.ts"
import type { Pipeline } from "../../lib/workflow/Pipeline.ts"
import { Reporter } from "../../lib/workflow/Reporter.ts"
import { Runner, type RunOutcome, runnerLayer } from "../../lib/workflow/Runner.ts"
import type { JobRecord, RunReport } from "../../lib/workflow/RunReport.ts"
import type { Selection } from "../../lib/workflow/Selection.ts"
import { stateSealsLayer } from "../../lib/workflow/StateSeals.ts"
import { inProcessExecutorLayer } from "../executors/InProcessExecutor.ts"
import { digestOf } from "../hashing.ts"
import { testExternalsLayer, testServicesLayer } from "../layers.ts"
import { ownerLivenessLayer } from "../ownerLiveness.ts"
import { passingSigningLayer } from "../signing/signing.ts"
import { type MemoryStore, makeMemoryStore } from "./memoryStore.ts"

export interface PipelineOptions {
  /** Default: everything. */
  readonly selection?: Selection
  /** Default: an empty one. Give the store of an earlier run to see what is a hit. */
  readonly store?: MemoryStore
}

export interface PipelineRun {
  /** What became of every job, by its name. */
  readonly states: { readonly [job: string]: JobRecord["state"] }
  readonly report: RunReport
  readonly store: MemoryStore
  /** What the job of this ref made; throws where it has made nothing. */
  readonly outputOf: <A>(ref: ArtifactRef<A>) => A
}

/** A job of the pipeline failed: the first of them. */
export class PipelineFailed extends Schema.TaggedError<PipelineFailed>()("PipelineFailed", {
  job: Schema.String,
  /** Of the stage's own error, or `Defect`. */
  errorTag: Schema.String,
  message: Schema.String
}) {}

/** In one process code does not change: a stage's name stands for it. */
const codeLayer = Layer.succeed(CodeClosure, {
  of: ({ stageName }) =>
    Effect.succeed({ identity: { digest: digestOf(stageName), declarations: {}, packages: {} }, lines: {} }),
  check: () => Effect.void
})

/** The portable backend. */
const capabilitiesLayer = Layer.succeed(Capabilities, {
  refusal: (capability) =>
    Effect.succeed(capability === "float32" ? undefined : "tests compute in float32: set the param to it")
})

const engineIn = (pipeline: Pipeline, store: MemoryStore) =>
  runnerLayer.pipe(
    // Two runs of one test on one store wait for each other, as processes do.
    Layer.provide(leasesLayer({ leaseMillis: 30_000, scope: mainScope })),
    Layer.provide(ownerLivenessLayer),
    Layer.provideMerge(
      inProcessExecutorLayer(
        testServicesLayer({ tensors: pipeline.jobs.some(({ ref }) => ref.stage.pool === "gpu") })
      )
    ),
    Layer.provide(
      Layer.mergeAll(manifestStoreLayer, codeLayer, capabilitiesLayer, testExternalsLayer, stateSealsLayer)
    ),
    Layer.provide(passingSigningLayer),
    Layer.provide(Layer.succeed(Reporter, { emit: () => Effect.void })),
    Layer.provide(Layer.succeedContext(store.context))
  )

const outputIn =
  (pipeline: Pipeline, { manifests }: RunOutcome) =>
  <A>(ref: ArtifactRef<A>): A => {
    const name = pipeline.jobs.find((job) => job.ref === ref)?.name
    const manifest = name === undefined ? undefined : manifests[name]
    if (manifest !== undefined) return Schema.decodeUnknownSync(ref.type.schema)(manifest.output.value)
    throw new Error(
      name === undefined ? "this ref is no job of the pipeline that ran" : `job "${name}" has made nothing`
    )
  }

/**
 * Rejects with `PipelineFailed` for the first job that fails, and before anything runs with what a plan fails
 * with: `DefinitionError`, `UpstreamMissing`, `ExternalUnreadable`, `CapabilityRefused`.
 */
export const runPipeline = async (
  pipeline: Pipeline,
  options: PipelineOptions = {}
): Promise<PipelineRun> => {
  const { selection = {}, store = makeMemoryStore() } = options
  const outcome = await Effect.runPromise(
    Effect.flatMap(Runner, (runner) => runner.run(pipeline, { selection, concurrency: 1 })).pipe(
      Effect.provide(engineIn(pipeline, store))
    )
  )
  const { jobs } = outcome.report
  const failed = jobs.find((job) => job.error !== null)
  if (failed?.error != null) {
    const { message, tag: errorTag } = failed.error
    throw new PipelineFailed({ job: failed.name, errorTag, message })
  }
  return {
    states: Object.fromEntries(jobs.map(({ name, state }) => [name, state])),
    report: outcome.report,
    store,
    outputOf: outputIn(pipeline, outcome)
  }
}
