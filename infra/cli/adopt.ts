/** `distillery adopt` */
import { randomUUID } from "node:crypto"
import { userInfo } from "node:os"
import { DateTime, Effect, Layer } from "effect"
import { type Adoption, adopt as adoptJob } from "../../lib/workflow/Adoption.ts"
import { type RunRecord, whileOpen } from "../../lib/workflow/OpenRuns.ts"
import type { Pipeline } from "../../lib/workflow/Pipeline.ts"
import * as Plan from "../../lib/workflow/Plan.ts"
import { planningLayer } from "../layers.ts"
import { ownerLivenessLayer } from "../ownerLiveness.ts"
import { oneLine } from "../reporting/paint.ts"
import { shortDigest } from "../reporting/resultLines.ts"
import { read } from "../settings.ts"
import { UsageError } from "./errors.ts"
import { findPipeline, pipelineFileOf } from "./findPipeline.ts"
import { Output, printJson } from "./Output.ts"
import { checkNames, namesOf, withOverrides } from "./selection.ts"

export interface AdoptFlags {
  readonly pipeline: string
  readonly jobs: ReadonlyArray<string>
  readonly reason: string
  readonly set: ReadonlyArray<string>
  readonly json: boolean
}

/** The account on this machine; containers may have none. */
const accountName = Effect.sync(() => {
  try {
    return userInfo().username
  } catch {
    return `user ${process.getuid?.() ?? "unknown"}`
  }
})

interface Adopted {
  readonly job: string
  readonly key: string
  readonly adoption: Adoption
}

/** In the pipeline's order: what one adopts may be what the next one reads. */
const adoptAll = Effect.fn("adopt.all")(function* (pipeline: Pipeline, flags: AdoptFlags, record: RunRecord) {
  const names = namesOf(flags.jobs)
  yield* checkNames(pipeline, "JOB", names)
  const by = yield* accountName
  const adopted: Array<Adopted> = []
  for (const { name } of pipeline.jobs.filter((job) => names.includes(job.name))) {
    const at = DateTime.formatIso(yield* DateTime.now)
    const plan = yield* Plan.make(pipeline, {})
    const statement = { by, at, reason: flags.reason.trim() }
    adopted.push({ job: name, ...(yield* adoptJob(plan, name, statement, record)) })
  }
  return adopted
})

export const adopt = Effect.fn("adopt")(function* (flags: AdoptFlags) {
  const { paint, print } = yield* Output
  const settings = yield* read
  if (flags.reason.trim() === "") {
    return yield* new UsageError({
      what: "--reason is empty",
      fix: "Say why the change of code makes no difference: it is kept with the result"
    })
  }
  const pipeline = yield* Effect.flatMap(findPipeline(flags.pipeline), (found) =>
    withOverrides(found, flags.set)
  )
  const adopted = yield* Effect.provide(
    whileOpen({ runId: `adopt-${randomUUID()}`, scope: settings.signing.scope }, (record) =>
      adoptAll(pipeline, flags, record)
    ),
    Layer.merge(planningLayer({ settings, pipelineFile: pipelineFileOf(flags.pipeline) }), ownerLivenessLayer)
  )
  if (flags.json) {
    return yield* printJson({ schemaVersion: 1, pipeline: pipeline.name, adopted })
  }
  yield* print(
    adopted.flatMap(({ adoption, job, key }) => [
      `${paint.bold(job)} adopts its result ${shortDigest(adoption.fromKey)} as ${shortDigest(key)}, though`,
      ...adoption.changes.map((change) => `  ${oneLine(change)}`)
    ])
  )
})
