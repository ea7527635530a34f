/** Why each job is a hit, a miss or waits: for people, and as a document. */
import { type Comparison, turnedBackText } from "../../lib/workflow/Counterfactual.ts"
import type { Change } from "../../lib/workflow/Explain.ts"
import type { JobState } from "../../lib/workflow/Plan.ts"
import { dateAndTime } from "./logLines.ts"
import { duration } from "./numbers.ts"
import { oneLine, type Paint } from "./paint.ts"
import { type Made, madeBy } from "./provenance.ts"

export interface Explanation {
  readonly name: string
  readonly stage: string
  readonly state: JobState
  /** Of a miss, and as to its params of a job that waits: the earlier result that is nearest. */
  readonly nearest: Comparison | undefined
  /** Earlier results that it would find if some of its changes were turned back. */
  readonly wouldHit: ReadonlyArray<Comparison>
  /** Of inputs that changed: the job that made them differ, and what changed there. */
  readonly causes: {
    readonly [input: string]: { readonly job: string; readonly changes: ReadonlyArray<Change> }
  }
}

/** `run 20261124-163005-4f2ab7`, or when it was made where the run is not known. */
const originText = ({ createdAt, runId }: Made): string => {
  if (runId !== null) return `run ${runId}`
  return createdAt === null ? "an earlier result" : `the result of ${dateAndTime(Date.parse(createdAt))}`
}

/** `2026-11-24 16:30:05 (run 20261124-…), took 2:05` */
export const madeText = (made: Made): string => {
  const { createdAt, seconds } = made
  const since = createdAt === null ? "" : `${dateAndTime(Date.parse(createdAt))} `
  return `${since}(${originText(made)})${seconds === null ? "" : `, took ${duration(seconds)}`}`
}

/** The place stands beside what changed, so that an editor finds it. */
const changeLine = (change: Change, { causes }: Explanation, paint: Paint): string => {
  const { file, line } = change
  const place = file === undefined || change.text.includes(`${file}:`) ? "" : paint.dim(` (${file}:${line})`)
  const cause = change.kind === "input" ? causes[change.path] : undefined
  if (cause === undefined) return oneLine(change.text) + place
  const texts = cause.changes.map(({ text }) => text).join(", ")
  return oneLine(`${change.text}, because job ${cause.job} changed: ${texts}`)
}

const countText = (count: number): string => (count === 1 ? "1 change" : `${count} changes`)

/** What is said of a miss on its own line, and what under it. */
const missLines = (explanation: Explanation, paint: Paint): readonly [string, ReadonlyArray<string>] => {
  const { nearest, state, wouldHit } = explanation
  if (state._tag !== "Miss") return ["", []]
  const { changes, kind, text } = state.reason
  if (kind !== "changed" || changes.length === 0 || nearest === undefined) return [oneLine(text), []]
  return [
    paint.dim(`${countText(changes.length)} since ${originText(madeBy(nearest.manifest))}`),
    [
      ...changes.map((change) => `    ${changeLine(change, explanation, paint)}`),
      ...wouldHit.map((one) => `    ${paint.cyan("would hit with")} ${oneLine(turnedBackText(one))}`)
    ]
  ]
}

const waitLines = (
  { nearest, state }: Explanation,
  paint: Paint
): readonly [string, ReadonlyArray<string>] => {
  if (state._tag !== "Waits") return ["", []]
  const on = `for ${state.on.join(", ")}`
  if (nearest === undefined) return [`${on}; never ran`, []]
  const origin = originText(madeBy(nearest.manifest))
  if (nearest.changes.length === 0) {
    return [on, [paint.dim(`    a hit if inputs and code come out as in ${origin}`)]]
  }
  const changes = nearest.changes.map(({ text }) => `    ${oneLine(text)}`)
  return [`${on}; will run${paint.dim(`, ${countText(changes.length)} since ${origin}`)}`, changes]
}

const linesOf = (explanation: Explanation, nameColumns: number, paint: Paint): ReadonlyArray<string> => {
  const { name, state } = explanation
  const shown = paint.bold(name.padEnd(nameColumns))
  if (state._tag === "Hit") {
    return [`${shown}  ${paint.green("hit")}    ${paint.dim(`since ${madeText(madeBy(state.manifest))}`)}`]
  }
  const [first, rest] = state._tag === "Miss" ? missLines(explanation, paint) : waitLines(explanation, paint)
  const sign = state._tag === "Miss" ? "miss " : "waits"
  return [`${shown}  ${paint.yellow(sign)}  ${first}`, ...rest]
}

export const explanationLines = (
  explanations: ReadonlyArray<Explanation>,
  paint: Paint
): ReadonlyArray<string> => {
  const columns = Math.max(0, ...explanations.map(({ name }) => name.length))
  return explanations.flatMap((explanation) => linesOf(explanation, columns, paint))
}

const comparisonDocument = ({ changes, manifest }: Comparison) => ({
  key: manifest.jobKey,
  made: madeBy(manifest),
  changes
})

const jobDocument = ({ causes, name, nearest, stage, state, wouldHit }: Explanation) => ({
  name,
  stage,
  state: state._tag.toLowerCase(),
  key: state._tag === "Waits" ? null : state.key,
  ...(state._tag === "Hit" && { made: madeBy(state.manifest) }),
  ...(state._tag === "Waits" && { waitsFor: state.on }),
  ...(state._tag === "Miss" && {
    reason: state.reason.kind,
    text: state.reason.text,
    changes: state.reason.changes.map((change) => ({
      ...change,
      ...(causes[change.path] !== undefined && change.kind === "input" && { cause: causes[change.path] })
    }))
  }),
  nearest: nearest === undefined ? null : comparisonDocument(nearest),
  wouldHit: wouldHit.map((one) => ({ ...comparisonDocument(one), text: turnedBackText(one) }))
})

export const explanationDocument = (pipeline: string, explanations: ReadonlyArray<Explanation>) => ({
  schemaVersion: 1,
  pipeline,
  jobs: explanations.map(jobDocument)
})
