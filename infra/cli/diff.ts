/** `distillery diff` */
import { Effect } from "effect"
import { changesSince, describedBy } from "../../lib/workflow/Explain.ts"
import type { Manifest } from "../../lib/workflow/Manifest.ts"
import type { JobRecord, RunReport } from "../../lib/workflow/RunReport.ts"
import {
  differenceDocument,
  differenceLines,
  type JobDifference,
  scoreDifferences
} from "../reporting/runDifferences.ts"
import { read, type SettingsValue } from "../settings.ts"
import { storageLayer } from "../storageLayers.ts"
import { UsageError } from "./errors.ts"
import { Output, printJson } from "./Output.ts"
import { findRun, knownRuns, runRecord } from "./runs.ts"
import { scoresOf, storedManifestsOf } from "./storedScores.ts"

export interface DiffFlags {
  readonly before: string
  readonly after: string
  readonly json: boolean
}

interface Side {
  readonly record: RunReport
  readonly manifests: { readonly [job: string]: Manifest }
}

const sideOf = Effect.fn("diff.sideOf")(function* (text: string, known: ReadonlyArray<string>) {
  const runId = yield* findRun(text, known)
  const record = yield* runRecord(runId)
  if (record === undefined) {
    return yield* new UsageError({
      what: `run ${runId} has no record to compare: it goes on, or was killed`,
      fix: `npx distillery log ${runId}`
    })
  }
  return { record, manifests: yield* storedManifestsOf(record) } satisfies Side as Side
})

const kindOf = (before: JobRecord | undefined, after: JobRecord | undefined): JobDifference["kind"] => {
  if (before === undefined) return "added"
  if (after === undefined) return "removed"
  return before.key !== null && before.key === after.key ? "same" : "changed"
}

const differenceOf = (name: string, left: Side, right: Side): JobDifference => {
  const [before, after] = [left, right].map(({ record }) => record.jobs.find((job) => job.name === name))
  const [earlier, later] = [left.manifests[name], right.manifests[name]]
  const bothThere = earlier !== undefined && later !== undefined
  return {
    name,
    kind: kindOf(before, after),
    before,
    after,
    changes: bothThere ? changesSince(earlier, describedBy(later)) : undefined,
    sameResult: bothThere && earlier.output.digest === later.output.digest
  }
}

const differencesOf = Effect.fn("diff.differencesOf")(function* (settings: SettingsValue, flags: DiffFlags) {
  const known = yield* knownRuns(settings)
  const before = yield* sideOf(flags.before, known)
  const after = yield* sideOf(flags.after, known)
  const names = new Set([...after.record.jobs, ...before.record.jobs].map(({ name }) => name))
  return {
    before: before.record,
    after: after.record,
    jobs: [...names].map((name) => differenceOf(name, before, after)),
    scores: scoreDifferences(
      scoresOf(before.record, before.manifests),
      scoresOf(after.record, after.manifests)
    )
  }
})

export const diff = Effect.fn("diff")(function* (flags: DiffFlags) {
  const { paint, print } = yield* Output
  const settings = yield* read
  const differences = yield* Effect.provide(differencesOf(settings, flags), storageLayer(settings))
  yield* flags.json ? printJson(differenceDocument(differences)) : print(differenceLines(differences, paint))
})
