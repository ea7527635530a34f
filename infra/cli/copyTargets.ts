/** From what the user names to the job keys of a store: pipelines, runs, results, digests. */
import { Effect, Stream } from "effect"
import type { Digest } from "../../lib/storage/Digest.ts"
import { ObjectStore } from "../../lib/storage/ObjectStore.ts"
import { latestOf } from "../../lib/workflow/CopySelection.ts"
import { storedManifests } from "../../lib/workflow/StoredManifests.ts"
import { suggestion } from "../../lib/workflow/suggestions.ts"
import { UsageError } from "./errors.ts"
import { recordedName } from "./findPipeline.ts"
import { splitName } from "./finishedJobs.ts"
import { findRun, recordedRuns, runRecord } from "./runs.ts"

/** `pipeline/job` of every job that the store holds a result of. */
const jobNames = Effect.gen(function* () {
  const listed = yield* Stream.runCollect((yield* ObjectStore).list("latest/"))
  const names = listed.flatMap(({ key }) => /([^/]+\/[^/]+)\.json$/.exec(key)?.[1] ?? [])
  return [...new Set(names)]
})

const isRun = (text: string): boolean => /^latest(~\d+)?$|^\d{8}-\d{6}/.test(text)

const ofRun = Effect.fn("copyTargets.ofRun")(function* (text: string) {
  const record = yield* runRecord(yield* findRun(text, yield* recordedRuns))
  return record?.jobs.flatMap(({ key }) => key ?? []) ?? []
})

const byDigest = Effect.fn("copyTargets.byDigest")(function* (text: string) {
  const hex = /^(?:sha256:)?([0-9a-f]{4,64})$/.exec(text)?.[1]
  if (hex === undefined) return []
  const stored = yield* Stream.runCollect(storedManifests(hex))
  return [...new Set(stored.map(({ key }) => key))]
})

const keysFor = Effect.fn("copyTargets.keysFor")(function* (text: string, names: ReadonlyArray<string>) {
  if (isRun(text)) return yield* ofRun(text)
  const { job, pipeline } = splitName(yield* recordedName(text))
  if (pipeline !== undefined) return yield* latestOf((one, other) => one === pipeline && other === job)
  if (names.some((name) => name.startsWith(`${job}/`))) return yield* latestOf((one) => one === job)
  const having = names.filter((name) => name.endsWith(`/${job}`))
  if (having.length > 1) {
    return yield* new UsageError({ what: `"${text}" may be ${having.join(" or ")}: name one of them` })
  }
  return having.length === 1 ? yield* latestOf((_, other) => other === job) : yield* byDigest(text)
})

/** Of the store `ObjectStore`. Fails with `UsageError` for the first name that it has nothing of. */
export const copyTargets = Effect.fn("copyTargets")(function* (texts: ReadonlyArray<string>) {
  if (texts.length === 0) return undefined
  const names = yield* jobNames
  const found: Array<Digest> = []
  for (const text of texts) {
    const keys = yield* keysFor(text, names)
    if (keys.length === 0) {
      const known = [...new Set([...names.map((name) => splitName(name).pipeline!), ...names])]
      const { location } = yield* ObjectStore
      return yield* new UsageError({
        what: `${location} has no pipeline, run or result "${text}"`,
        fix: known.length === 0 ? "It holds no results" : suggestion(text, known)
      })
    }
    found.push(...keys)
  }
  return [...new Set(found)]
})
