/** Tells GitHub Actions how a run went, where that is what runs us: a summary, annotations for failures. */
import { appendFile } from "node:fs/promises"
import { Effect } from "effect"
import type { RunReport } from "../../lib/workflow/RunReport.ts"
import { errorAnnotation, jobSummary } from "../reporting/github.ts"
import type { RunDocument } from "../reporting/RunDocument.ts"
import { readGitHub } from "../settings.ts"
import { Output } from "./Output.ts"

/** On stderr, which GitHub reads as well: stdout may be a document. */
const annotate = Effect.fn("annotate")(function* (title: string, message: string) {
  const { annotates } = yield* readGitHub
  if (annotates) yield* (yield* Output).tell([errorAnnotation(title, message)])
})

/** For a run that ends before it has begun: no pipeline of that name, no store to be reached. */
export const annotateError = (error: { readonly _tag: string; readonly message: string }) =>
  error._tag === "AlreadyReported" ? Effect.void : annotate("distillery run failed", error.message)

const appendSummary = Effect.fn("appendSummary")(function* (lines: ReadonlyArray<string>) {
  const { summaryFile } = yield* readGitHub
  if (summaryFile === undefined) return
  const written = yield* Effect.result(
    Effect.tryPromise(() => appendFile(summaryFile, `${lines.join("\n")}\n`))
  )
  if (written._tag === "Failure") {
    yield* (yield* Output).tell([`the summary for GitHub could not be written to ${summaryFile}`])
  }
})

export const tellGitHub = Effect.fn("tellGitHub")(function* (document: RunDocument, report: RunReport) {
  yield* appendSummary(jobSummary(document, report))
  for (const { error, name, stage } of document.jobs) {
    if (error !== undefined) yield* annotate(`${document.pipeline}: ${name} (${stage}) failed`, error.message)
  }
})
