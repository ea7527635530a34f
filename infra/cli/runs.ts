/** The runs there were: their records in the store, their logs in this project, and how one is named. */
import { join } from "node:path"
import { Effect, Option, Schema, Stream } from "effect"
import { ObjectStore } from "../../lib/storage/ObjectStore.ts"
import { Verifier } from "../../lib/storage/Signature.ts"
import { recordBytesMax } from "../../lib/workflow/jsonObjects.ts"
import { RunReport, runReportFolder, runReportKey } from "../../lib/workflow/RunReport.ts"
import { nearest } from "../../lib/workflow/suggestions.ts"
import { loggedRuns } from "../reporting/readEventLog.ts"
import type { SettingsValue } from "../settings.ts"
import { UsageError } from "./errors.ts"

const decodeReport = Schema.decodeUnknownOption(Schema.fromJsonString(RunReport))

/** Where the logs of runs lie. */
export const runLogFolder = ({ projectDir }: SettingsValue): string =>
  join(projectDir, ".distillery", "logs", "runs")

/** Ids of the runs recorded in the scopes that are read, the latest first. */
export const recordedRuns = Effect.gen(function* () {
  const store = yield* ObjectStore
  const { scopes } = yield* Verifier
  const ids = yield* Effect.forEach(scopes, (scope) => {
    const folder = runReportFolder(scope)
    const idOf = ({ key }: { readonly key: string }): string => key.slice(folder.length, -".json".length)
    return Stream.runCollect(Stream.map(store.list(folder), idOf))
  })
  return ids.flat().sort().reverse()
})

/** The record of a run; `undefined` where there is none that is read, or one that makes no sense. */
export const runRecord = Effect.fn("runRecord")(function* (runId: string) {
  const store = yield* ObjectStore
  const { scopes } = yield* Verifier
  for (const scope of scopes) {
    const bytes = yield* Effect.option(store.get(runReportKey(scope, runId), recordBytesMax))
    const text = Option.map(bytes, (found) => new TextDecoder().decode(found))
    if (Option.isSome(text)) return Option.getOrUndefined(decodeReport(text.value))
  }
  return undefined
})

/** The records of the latest runs, the latest first; those that cannot be read are passed over. */
export const recentRuns = Effect.fn("recentRuns")(function* (count: number) {
  const ids = (yield* recordedRuns).slice(0, count)
  const records = yield* Effect.forEach(ids, runRecord, { concurrency: 8 })
  return records.flatMap((record) => record ?? [])
})

/** Ids of all runs, recorded or only logged (still going on, or killed), the latest first. */
export const knownRuns = Effect.fn("knownRuns")(function* (settings: SettingsValue) {
  const logged = yield* Effect.promise(() => loggedRuns(runLogFolder(settings)))
  return [...new Set([...(yield* recordedRuns), ...logged])].sort().reverse()
})

export const noRunYet = new UsageError({
  what: "no run is known here yet",
  fix: "Start one: npx distillery run quickstart"
})

const numShown = 5

const unknownRun = (text: string, known: ReadonlyArray<string>): UsageError => {
  const near = nearest(text, known)
  return new UsageError({
    what: `there is no run "${text}"${near === undefined ? "" : `: did you mean "${near}"?`}`,
    fix: `The latest are ${known.slice(0, numShown).join(", ")}; all: npx distillery log --list`
  })
}

/** Written before a run's id, or as the part of it behind the time: `20261124-153257-4f2ab7` as `4f2a`. */
const isMeant = (text: string, runId: string): boolean =>
  runId.startsWith(text) || (runId.split("-")[2] ?? "").startsWith(text)

/**
 * The run that is meant by its id, an unambiguous beginning of it, `latest`, or `latest~2` (two before it).
 * `known` is in the order of `knownRuns`. Fails with `UsageError`.
 */
export const findRun = (text: string, known: ReadonlyArray<string>): Effect.Effect<string, UsageError> => {
  if (known.length === 0) return Effect.fail(noRunYet)
  const back = /^latest(?:~(\d+))?$/.exec(text)
  if (back !== null) {
    const found = known[Number(back[1] ?? 0)]
    if (found !== undefined) return Effect.succeed(found)
    const count = known.length === 1 ? "there is one run" : `there are ${known.length} runs`
    return Effect.fail(new UsageError({ what: `${text} goes too far back: ${count}` }))
  }
  const matching = known.filter((runId) => isMeant(text, runId))
  const [found] = matching
  if (found === undefined || text === "") return Effect.fail(unknownRun(text, known))
  if (matching.length === 1 || found === text) return Effect.succeed(found)
  const named = matching.slice(0, numShown).join(", ")
  return Effect.fail(
    new UsageError({
      what: `"${text}" may be any of ${matching.length} runs: ${named}`,
      fix: "Write more of it"
    })
  )
}
