/** What GitHub is told about a run. */
import { assert, describe, it } from "@effect/vitest"
import { errorAnnotation, jobSummary } from "../../../infra/reporting/github.ts"
import type { RunDocument } from "../../../infra/reporting/RunDocument.ts"
import { record } from "./fixtures.ts"

const jobs = [
  record("teacher", "pretrain", { state: "ran", seconds: 60 }),
  record("report", "report", {
    state: "failed",
    error: { tag: "StageFailed", message: "no | room\nleft <b>", logTail: [] }
  })
]
const report = {
  schemaVersion: 1 as const,
  runId: "r",
  pipeline: "quick_start",
  status: "failed" as const,
  startedAt: "2026-01-01T00:00:00Z",
  seconds: 65,
  jobs
}
const document: RunDocument = {
  schemaVersion: 1,
  status: "failed",
  runId: "r",
  pipeline: "quick_start",
  seconds: 65,
  jobs: jobs.map(({ error, key, name, outputDigest, seconds, stage, state }) => ({
    name,
    stage,
    key,
    state,
    seconds,
    outputDigest,
    ...(error !== null && { error })
  })),
  metrics: { teacher: { top1: 0.9339, params: 272_474 } }
}

describe("the summary of a job", () => {
  it("has status, counts, a table of scores, and what failed", () =>
    assert.deepStrictEqual(jobSummary(document, report), [
      "### ❌ quick\\_start",
      "",
      "2 jobs in 1:05: 1 ran, 1 failed",
      "",
      "| model | top-1 | params |",
      "|---|---:|---:|",
      "| teacher | 93.39 % | 272 k |",
      "",
      "**report** (report) failed: no \\| room left \\<b\\>",
      ""
    ]))

  it("has no table where nothing was scored", () =>
    assert.notInclude(jobSummary({ ...document, metrics: {} }, report).join("\n"), "|---"))
})

describe("an annotation", () => {
  it("is one line, whatever is in its title and message", () =>
    assert.strictEqual(
      errorAnnotation("job: a, b", "100%\nsecond ::set-output::\u001b[31mred"),
      "::error title=job%3A a%2C b::100%25%0Asecond ::set-output::red"
    ))
})
