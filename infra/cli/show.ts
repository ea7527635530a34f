/** `distillery show` */
import { Effect } from "effect"
import { inputRecords, soundManifest } from "../../lib/workflow/Lineage.ts"
import type { Manifest } from "../../lib/workflow/Manifest.ts"
import type { RunReport } from "../../lib/workflow/RunReport.ts"
import { runHeadline } from "../reporting/logLines.ts"
import { duration } from "../reporting/numbers.ts"
import { oneLine, type Paint } from "../reporting/paint.ts"
import { resultDocument, resultLines, shortDigest, shownInputs } from "../reporting/resultLines.ts"
import { countsLine, resultLines as scoreLines } from "../reporting/summary.ts"
import { table } from "../reporting/table.ts"
import { read, type SettingsValue } from "../settings.ts"
import { storageLayer } from "../storageLayers.ts"
import { UsageError } from "./errors.ts"
import { findResult } from "./findResult.ts"
import { Output, printJson } from "./Output.ts"
import { findRun, knownRuns, runRecord } from "./runs.ts"
import { storedScores } from "./storedScores.ts"

export interface ShowFlags {
  readonly reference: string
  readonly json: boolean
}

const looksLikeRun = (text: string): boolean => /^latest(~\d+)?$/.test(text) || /^\d{8}(-|$)/.test(text)

const runRows = ({ jobs }: RunReport, paint: Paint) =>
  jobs.map(({ error, key, name, notes, seconds, stage, state }) => [
    paint.bold(name),
    stage,
    state === "failed" ? paint.red(state) : state,
    state === "ran" ? duration(seconds) : "",
    key === null ? "" : shortDigest(key),
    oneLine(error?.message ?? notes.join("; "))
  ])

const showRun = Effect.fn("show.run")(function* (settings: SettingsValue, flags: ShowFlags) {
  const runId = yield* findRun(flags.reference, yield* knownRuns(settings))
  const record = yield* runRecord(runId)
  if (record === undefined) {
    return yield* new UsageError({
      what: `run ${runId} has no record: it goes on, or was killed`,
      fix: `npx distillery log ${runId}`
    })
  }
  const metrics = yield* storedScores(record)
  if (flags.json) return yield* printJson({ kind: "run", ...record, metrics })
  const { paint, print } = yield* Output
  const titles = ["job", "stage", "state", "took", "key", "note"]
  const scores = scoreLines(metrics, paint)
  yield* print([
    `${runHeadline(record, paint)}, ${countsLine(record)}`,
    "",
    ...table(
      titles.map((title) => ({ title, ...(title === "took" && { align: "right" as const }) })),
      runRows(record, paint),
      paint
    ),
    ...(scores.length === 0 ? [] : ["", ...scores])
  ])
})

const showResult = Effect.fn("show.result")(function* ({ json, reference }: ShowFlags) {
  const manifest = yield* findResult(reference)
  const keys = [...inputRecords(manifest.inputs).values()].map(({ jobKey }) => jobKey)
  const makers = new Map<string, Manifest | undefined>()
  for (const key of keys) makers.set(key, yield* soundManifest(key))
  const shown = { manifest, inputs: shownInputs(manifest, (key) => makers.get(key)) }
  const { paint, print } = yield* Output
  yield* json ? printJson(resultDocument(shown)) : print(resultLines(shown, paint))
})

export const show = Effect.fn("show")(function* (flags: ShowFlags) {
  const settings = yield* read
  const shown = looksLikeRun(flags.reference) ? showRun(settings, flags) : showResult(flags)
  yield* Effect.provide(shown, storageLayer(settings))
})
