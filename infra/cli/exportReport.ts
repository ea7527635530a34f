/**
 * Puts a run's report where people find it: `.distillery/reports/<pipeline>/`. The store keeps the original.
 */
import { rename, writeFile } from "node:fs/promises"
import { basename, dirname, extname, join } from "node:path"
import { Effect, Schema } from "effect"
import type { BlobRef } from "../../lib/storage/BlobStore.ts"
import { BlobStore } from "../../lib/storage/BlobStore.ts"
import type { ReportValue } from "../../stages/artifacts.ts"
import { makeFolder } from "../stores/makeFolder.ts"

export class ReportNotWritten extends Schema.TaggedError<ReportNotWritten>()("ReportNotWritten", {
  file: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `The report could not be written to ${this.file}: ${this.reason}. The store keeps it: run again.`
  }
}

export interface ExportedReport {
  readonly html: string
  readonly json: string
  /** Images of the test splits to try the models on. */
  readonly samples: ReadonlyArray<{
    readonly evaluation: string
    readonly file: string
    readonly label: string
  }>
}

/** A name from an artifact or a pipeline as the name of one file or folder, nothing else. */
const fileName = (name: string): string =>
  basename(name)
    .replace(/[^A-Za-z0-9._-]+/g, "-")
    .replace(/^\.+/, "") || "unnamed"

const withExtension = (name: string, extension: string): string =>
  extname(name) === extension ? name : `${name}${extension}`

/** A reader sees the old file or the new one. */
const replaceFile = (file: string, bytes: Uint8Array) =>
  Effect.tryPromise({
    try: async () => {
      const temporary = `${file}.${process.pid}.tmp`
      await makeFolder(dirname(file))
      await writeFile(temporary, bytes)
      await rename(temporary, file)
    },
    catch: (error) => new ReportNotWritten({ file, reason: (error as Error).message })
  })

const exportBlob = Effect.fn("exportBlob")(function* (ref: BlobRef, file: string) {
  const blobs = yield* BlobStore
  yield* replaceFile(file, yield* blobs.get(ref))
  return file
})

export const reportFolder = (projectDir: string, pipeline: string): string =>
  join(projectDir, ".distillery", "reports", fileName(pipeline))

/** Writes `report.html`, `report.json` and `samples/<evaluation>/*.png`. */
export const exportReport = Effect.fn("exportReport")(function* (folder: string, report: ReportValue) {
  const html = yield* exportBlob(report.html, join(folder, "report.html"))
  const json = yield* exportBlob(report.json, join(folder, "report.json"))
  const samples = yield* Effect.forEach(
    report.samples,
    ({ evaluation, label, name, png }) => {
      const place = join(folder, "samples", fileName(evaluation), withExtension(fileName(name), ".png"))
      return Effect.map(exportBlob(png, place), (file) => ({ evaluation, file, label }))
    },
    { concurrency: 4 }
  )
  return { html, json, samples } satisfies ExportedReport as ExportedReport
})
