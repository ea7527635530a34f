/** The services a stage's body needs, in memory: a blob store, and a job that records what it is told. */

import { Effect, Layer, Option, type Schema } from "effect"
import { digestOf, hasherLayer } from "../../infra/hashing.ts"
import { blobStoreLayer } from "../../lib/storage/blobs.ts"
import type { Hasher } from "../../lib/storage/Digest.ts"
import { memoryObjectStoreLayer } from "../../lib/storage/MemoryObjectStore.ts"
import type { ObjectStore } from "../../lib/storage/ObjectStore.ts"
import { mainScope } from "../../lib/storage/Signature.ts"
import * as Fold from "../../lib/workflow/Fold.ts"
import { JobContext, type Progress } from "../../lib/workflow/JobContext.ts"
import { testSeals } from "./signing.ts"

export interface JobRecord {
  readonly progress: Array<Progress>
  readonly notes: Array<string>
  /** What the plan found outside. */
  readonly externals?: JobContext["Service"]["externals"]
}

/** A job nobody stops; what it reports is pushed into `record`. */
export const jobLayer = (record: JobRecord = { progress: [], notes: [] }): Layer.Layer<JobContext> =>
  Layer.succeed(JobContext, {
    jobName: "job",
    externals: record.externals ?? {},
    report: (progress) => Effect.sync(() => void record.progress.push(progress)),
    note: (line) => Effect.sync(() => void record.notes.push(line)),
    stopRequested: Effect.succeed(false),
    loadResumePoint: Effect.succeed(Option.none()),
    saveResumePoint: () => Effect.void,
    fold: () => Effect.succeed({ latest: () => Effect.succeed(Option.none()), save: () => Effect.void }),
    provenance: () => Effect.void
  })

/** Blobs in memory, and the hasher under them. */
export const blobsLayer = blobStoreLayer.pipe(
  Layer.provideMerge(memoryObjectStoreLayer),
  Layer.provideMerge(hasherLayer)
)

/** What `foldingJob` saw: epochs that were executed, and saved. */
export interface FoldRecord {
  readonly executed: Array<number>
  readonly notes: Array<string>
  /** What goes into its manifest. */
  readonly provenance?: Array<Schema.JsonObject>
}

/** A job whose folds keep their states in the store around it; jobs of one stage, code and inputs. */
export const foldingJob = Effect.fnUntraced(function* (
  name: string,
  { executed, notes, provenance }: FoldRecord = { executed: [], notes: [] }
) {
  const services = yield* Effect.context<ObjectStore | Hasher>()
  const note = (line: string) => Effect.sync(() => void notes.push(line))
  const job = {
    jobKey: digestOf(name),
    base: digestOf("stage, code, inputs"),
    scope: mainScope,
    runId: "run",
    fromScratch: false,
    note,
    provenance: () => Effect.void
  }
  return JobContext.of({
    ...(yield* JobContext),
    note,
    provenance: (facts) => Effect.sync(() => void provenance?.push(facts)),
    fold: Effect.fnUntraced(function* (options) {
      const { latest, save } = yield* Fold.make(job, options).pipe(
        Effect.provide(services),
        Effect.provide(testSeals)
      )
      return {
        latest,
        save: (done, bytes) => Effect.tap(save(done, bytes), () => Effect.sync(() => executed.push(done)))
      }
    })
  })
})
