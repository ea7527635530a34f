import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { makeEventLog, ProgressFilter } from "../../../infra/reporting/eventLog.ts"
import { readEventLog } from "../../../infra/reporting/readEventLog.ts"
import type { RunEvent } from "../../../lib/workflow/RunEvent.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"
import { planWith } from "./fixtures.ts"

const progress = (phase: string, done: number): RunEvent => ({
  _tag: "JobProgress",
  job: "a",
  progress: { phase, done, total: 10, unit: "steps", facts: {} }
})
const skipped: RunEvent = { _tag: "JobSkipped", job: "a", because: "x" }

describe("progress in a log", () => {
  it("is held back, but never the last of a phase or of a job", () => {
    const filter = new ProgressFilter()
    const written = (event: RunEvent, at: number) =>
      filter
        .after(event, at)
        .map((timed) => (timed.event._tag === "JobProgress" ? timed.event.progress.done : timed.event._tag))
    assert.deepStrictEqual(written(progress("epoch 1", 1), 0), [1])
    assert.deepStrictEqual(written(progress("epoch 1", 2), 500), [])
    assert.deepStrictEqual(written(progress("epoch 1", 3), 9_000), [])
    assert.deepStrictEqual(written(progress("epoch 1", 4), 10_000), [4])
    assert.deepStrictEqual(written(progress("epoch 1", 5), 11_000), [])
    assert.deepStrictEqual(written(progress("epoch 2", 6), 12_000), [5, 6])
    assert.deepStrictEqual(written(progress("epoch 3", 7), 12_100), [])
    assert.deepStrictEqual(written(skipped, 12_200), [7, "JobSkipped"])
    assert.deepStrictEqual(written(progress("again", 8), 12_300), [8])
  })
})

const logged = (folder: string, runId: string, events: ReadonlyArray<RunEvent>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const emit = yield* makeEventLog(folder)
      yield* emit({ _tag: "RunStarted", runId, plan: planWith({}) })
      yield* Effect.forEach(events, emit)
    })
  )

describe("a log", () => {
  it.live("is whole after each event; a torn last line is passed over", () =>
    Effect.gen(function* () {
      const folder = join(temporaryFolder(), "logs", "runs")
      yield* logged(folder, "one", [skipped])
      const file = join(folder, "one.jsonl")
      writeFileSync(file, `${readFileSync(file, "utf8")}{"at":1,"_tag":"JobNo`)
      const log = yield* Effect.promise(() => readEventLog(folder, "one"))
      assert.deepStrictEqual(
        log?.events.map((event) => event._tag),
        ["RunStarted", "JobSkipped"]
      )
      assert.strictEqual(log?.status, "running")
    })
  )

  it.live("of a run long ago goes when there are more than 200", () =>
    Effect.gen(function* () {
      const folder = temporaryFolder()
      mkdirSync(folder, { recursive: true })
      for (let i = 0; i < 205; i++) writeFileSync(join(folder, `${1000 + i}.jsonl`), "")
      yield* logged(folder, "2000", [])
      const names = readdirSync(folder)
      assert.deepStrictEqual(
        [names.length, names.includes("1005.jsonl"), names.includes("1006.jsonl")],
        [200, false, true]
      )
    })
  )

  it.live("ends a job that prints without end", () =>
    Effect.gen(function* () {
      const folder = temporaryFolder()
      const line: RunEvent = { _tag: "JobOutput", job: "a", line: "x" }
      yield* logged(folder, "loud", new Array(10_100).fill(line))
      const log = yield* Effect.promise(() => readEventLog(folder, "loud"))
      assert.strictEqual(log?.events.length, 10_001)
      assert.deepInclude(log?.events.at(-1), { line: "(what it prints from here on is left out)" })
    })
  )

  it.live("that cannot be written does not hurt the run", () => {
    const file = join(temporaryFolder(), "file")
    writeFileSync(file, "")
    return logged(join(file, "logs"), "one", [skipped])
  })
})
