import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { exportReport, reportFolder } from "../../../infra/cli/exportReport.ts"
import { hasherLayer } from "../../../infra/hashing.ts"
import { BlobStore } from "../../../lib/storage/BlobStore.ts"
import { blobStoreLayer } from "../../../lib/storage/blobs.ts"
import { memoryObjectStoreLayer } from "../../../lib/storage/MemoryObjectStore.ts"

const storage = blobStoreLayer.pipe(
  Layer.provideMerge(memoryObjectStoreLayer),
  Layer.provideMerge(hasherLayer)
)
const bytes = (text: string) => new TextEncoder().encode(text)

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "distillery-report-"))
})
afterEach(() => rmSync(folder, { recursive: true }))

const report = Effect.fnUntraced(function* (sampleName: string, evaluation = "teacher") {
  const blobs = yield* BlobStore
  return {
    _tag: "Report" as const,
    html: yield* blobs.put(bytes("<html>")),
    json: yield* blobs.put(bytes("{}")),
    samples: [{ evaluation, name: sampleName, label: "circle", png: yield* blobs.put(bytes("png")) }]
  }
})

describe("exporting a report", () => {
  it.effect("writes page, data and samples, and replaces earlier ones", () =>
    Effect.gen(function* () {
      writeFileSync(join(folder, "report.html"), "old and longer")
      const { html, samples } = yield* exportReport(folder, yield* report("000001-circle"))
      assert.strictEqual(readFileSync(html, "utf8"), "<html>")
      assert.strictEqual(readFileSync(join(folder, "report.json"), "utf8"), "{}")
      assert.deepStrictEqual(samples, [
        {
          evaluation: "teacher",
          file: join(folder, "samples", "teacher", "000001-circle.png"),
          label: "circle"
        }
      ])
      assert.isTrue(existsSync(samples[0]!.file))
    }).pipe(Effect.provide(storage))
  )

  it.effect("no name leads out of the folder", () =>
    Effect.gen(function* () {
      const { samples } = yield* exportReport(folder, yield* report("../../evil", "../.."))
      assert.strictEqual(samples[0]!.file, join(folder, "samples", "unnamed", "evil.png"))
      assert.strictEqual(reportFolder("/p", "../.."), "/p/.distillery/reports/unnamed")
      assert.strictEqual(reportFolder("/p", "a b"), "/p/.distillery/reports/a-b")
    }).pipe(Effect.provide(storage))
  )

  it.effect("a folder that cannot be written is an error that says where the report is", () =>
    Effect.gen(function* () {
      writeFileSync(join(folder, "file"), "")
      const error = yield* Effect.flip(exportReport(join(folder, "file"), yield* report("x")))
      assert.strictEqual(error._tag, "ReportNotWritten")
      assert.include(error.message, "The store keeps it")
    }).pipe(Effect.provide(storage))
  )
})
