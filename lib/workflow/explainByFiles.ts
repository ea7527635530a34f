/** Why a job misses, down to the files of folders outside the store. */
import { Effect } from "effect"
import type { Digest } from "../storage/Digest.ts"
import { type Change, explain, type JobDescription, type MissReason, summary } from "./Explain.ts"
import { ExternalInputs, type FileChanges } from "./ExternalInputs.ts"
import type { Manifest } from "./Manifest.ts"

const numFilesShown = 3
/** Manifests that are equally near and are compared file by file. */
const numCompared = 4

const inWords = ({ added, edited, removed }: FileChanges): string => {
  const said = [
    ...edited.map((path) => `${path} edited`),
    ...added.map((path) => `${path} added`),
    ...removed.map((path) => `${path} removed`)
  ]
  const rest = said.length - numFilesShown
  return `${said.slice(0, numFilesShown).join(", ")}${rest > 0 ? ` and ${rest} more` : ""}`
}

interface Near {
  readonly manifest: Manifest
  readonly reason: MissReason
}

interface Named {
  readonly change: Change
  readonly numFiles: number
}

/** A change of a folder whose earlier content is not remembered counts as one of any size. */
const named = Effect.fnUntraced(function* (change: Change): Effect.fn.Return<Named, never, ExternalInputs> {
  const { after, before, kind } = change
  if (kind !== "external" || before === undefined || after === undefined) return { change, numFiles: 0 }
  const files = yield* (yield* ExternalInputs).changes(before as Digest, after as Digest)
  if (files === undefined) return { change, numFiles: Number.POSITIVE_INFINITY }
  const numFiles = files.added.length + files.edited.length + files.removed.length
  return { change: { ...change, text: `${change.text} (${inWords(files)})` }, numFiles }
})

const namedReason = Effect.fnUntraced(function* ({ manifest, reason }: Near) {
  const found = yield* Effect.forEach(reason.changes, named)
  const changes = found.map(({ change }) => change)
  const numFiles = found.reduce((sum, one) => sum + one.numFiles, 0)
  const since = manifest.jobKey
  return { reason: { ...reason, changes, since, text: summary(changes) } satisfies MissReason, numFiles }
})

/**
 * As `explain`; of manifests that differ in equally many leaves the one with the fewest files changed since,
 * which are named.
 */
export const explainByFiles = Effect.fn("explainByFiles")(function* (
  job: JobDescription,
  recent: ReadonlyArray<Manifest>
) {
  const reason = explain(job, recent)
  if (!reason.changes.some(({ kind }) => kind === "external")) return reason
  const near = recent
    .map((manifest): Near => ({ manifest, reason: explain(job, [manifest]) }))
    .filter((near) => near.reason.changes.length === reason.changes.length)
  const [first, ...rest] = yield* Effect.forEach(near.slice(0, numCompared), namedReason)
  return rest.reduce((best, next) => (next.numFiles < best.numFiles ? next : best), first!).reason
})
