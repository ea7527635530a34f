/** `distillery dag` */
import { writeFile } from "node:fs/promises"
import { Effect } from "effect"
import * as Plan from "../../lib/workflow/Plan.ts"
import { planningLayer } from "../layers.ts"
import { graphLines, graphMermaid } from "../reporting/graphText.ts"
import { graphOf, type PipelineGraph } from "../reporting/PipelineGraph.ts"
import { type Paint, paintFor } from "../reporting/paint.ts"
import { read } from "../settings.ts"
import { UsageError } from "./errors.ts"
import { findPipeline, pipelineFileOf } from "./findPipeline.ts"
import { Output, printJson } from "./Output.ts"
import { withOverrides } from "./selection.ts"

export interface DagFlags {
  readonly pipeline: string
  readonly format: "text" | "mermaid" | "svg"
  readonly output: string | undefined
  readonly set: ReadonlyArray<string>
  readonly json: boolean
}

/** The layout is loaded only where something is laid out. */
const drawn = Effect.fn("dag.drawn")(function* (
  graph: PipelineGraph,
  format: DagFlags["format"],
  paint: Paint
) {
  if (format === "text") return graphLines(graph, paint)
  if (format === "mermaid") return graphMermaid(graph)
  const { graphSvg } = yield* Effect.promise(() => import("../reporting/graphSvg.ts"))
  return [graphSvg(graph).trimEnd()]
})

const write = (file: string, lines: ReadonlyArray<string>) =>
  Effect.tryPromise({
    try: () => writeFile(file, `${lines.join("\n")}\n`),
    catch: (error) =>
      new UsageError({ what: `${file} cannot be written`, why: String((error as Error).message ?? error) })
  })

export const dag = Effect.fn("dag")(function* (flags: DagFlags) {
  const { paint, print, tell } = yield* Output
  const settings = yield* read
  const pipeline = yield* Effect.flatMap(findPipeline(flags.pipeline), (found) =>
    withOverrides(found, flags.set)
  )
  const graph = graphOf(
    yield* Effect.provide(
      Plan.make(pipeline, {}),
      planningLayer({ settings, pipelineFile: pipelineFileOf(flags.pipeline) })
    )
  )
  if (flags.json) return yield* printJson({ schemaVersion: 1, ...graph })
  if (flags.output === undefined) return yield* print(yield* drawn(graph, flags.format, paint))
  yield* write(flags.output, yield* drawn(graph, flags.format, paintFor(false)))
  yield* tell([`written to ${flags.output}`])
})
