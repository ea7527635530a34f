/** What there is to look at and to try after a run. */
import { relative } from "node:path"
import type { Pipeline } from "../../lib/workflow/Pipeline.ts"
import type { RunOutcome } from "../../lib/workflow/Runner.ts"
import { Classifier, Detector, Report, Segmenter } from "../../stages/artifacts.ts"
import type { ExportedReport } from "./exportReport.ts"

/** An argument as a shell reads it. */
export const quoted = (argument: string): string =>
  /^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`

interface ModelToTry {
  readonly job: string
  /** An image of its own test split. */
  readonly sample: string
}

/** Of each kind of model the last in the pipeline's order: what the pipeline is about. */
const modelsToTry = (
  pipeline: Pipeline,
  outcome: Pick<RunOutcome, "manifests">,
  { samples }: ExportedReport
): ReadonlyArray<ModelToTry> =>
  [Classifier, Detector, Segmenter].flatMap(({ name: kind }) => {
    const models = pipeline.jobs.filter(
      ({ name, ref }) => ref.type.name === kind && outcome.manifests[name] !== undefined
    )
    const found = models.flatMap(({ name: job }): ReadonlyArray<ModelToTry> => {
      const evaluation = evaluationOf(pipeline, job)
      const sample = samples.find((one) => one.evaluation === evaluation)
      return sample === undefined ? [] : [{ job, sample: sample.file }]
    })
    return found.slice(-1)
  })

/** The name under which a report's inputs hold this model, and with it its evaluation. */
const evaluationOf = (pipeline: Pipeline, model: string): string | undefined => {
  const reports = pipeline.jobs.filter(({ ref }) => ref.type.name === Report.name)
  const named = reports.flatMap(({ inputs: { models } }) =>
    typeof models === "object" ? Object.entries(models) : []
  )
  return named.find(([, job]) => job === model)?.[0]
}

/** Lines: where the report is, and a command for each kind of model; none without a report. */
export const nextSteps = (
  pipeline: Pipeline,
  outcome: Pick<RunOutcome, "manifests">,
  exported: ExportedReport | undefined
): ReadonlyArray<string> => {
  if (exported === undefined) return []
  const shown = (file: string): string => relative(process.cwd(), file)
  const commands = modelsToTry(pipeline, outcome, exported).map(
    ({ job, sample }) => `npx distillery predict ${pipeline.name}/${job} ${quoted(shown(sample))}`
  )
  return [
    "",
    `Report: ${shown(exported.html)}`,
    ...commands.map((command, index) => `${index === 0 ? "Try:" : "    "}    ${command}`)
  ]
}
