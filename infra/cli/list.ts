/** `distillery list` */
import { Effect } from "effect"
import { pipelines } from "../../pipelines/index.ts"
import { findPipeline } from "./findPipeline.ts"
import { Output, printJson } from "./Output.ts"

export const list = Effect.fn("list")(function* ({ json }: { readonly json: boolean }) {
  const { paint, print } = yield* Output
  const loaded = yield* Effect.forEach(Object.keys(pipelines), (name) =>
    Effect.map(findPipeline(name), ({ description, jobs }) => ({
      name,
      description,
      jobs: jobs.map((job) => ({ name: job.name, stage: job.ref.stage.stageName }))
    }))
  )
  if (json) return yield* printJson({ schemaVersion: 1, pipelines: loaded })
  yield* print(
    loaded.flatMap(({ description, jobs, name }) => [
      paint.bold(name),
      `  ${description}`,
      `  ${paint.dim("jobs")} ${jobs.map((job) => job.name).join(", ")}`
    ])
  )
})
