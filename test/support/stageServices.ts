/** The services a stage's body needs, in memory: a blob store, and a job that records what it is told. */
import { Effect, Layer, Option } from "effect"
import { hasherLayer } from "../../infra/hashing.ts"
import { blobStoreLayer } from "../../lib/storage/blobs.ts"
import { memoryObjectStoreLayer } from "../../lib/storage/MemoryObjectStore.ts"
import { JobContext, type Progress } from "../../lib/workflow/JobContext.ts"

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
    provenance: () => Effect.void
  })

/** Blobs in memory, and the hasher under them. */
export const blobsLayer = blobStoreLayer.pipe(
  Layer.provideMerge(memoryObjectStoreLayer),
  Layer.provideMerge(hasherLayer)
)
