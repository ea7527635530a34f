import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { paintFor } from "../../../infra/reporting/paint.ts"
import { makePlainReporter } from "../../../infra/reporting/plainReporter.ts"
import { digest, planWith, waiting } from "./fixtures.ts"

const key = digest("a")
const progress = (phase: string, done: number) => ({
  _tag: "JobProgress" as const,
  job: "teacher",
  progress: { phase, done, total: 100, unit: "steps", facts: { loss: 0.5 } }
})

describe("in a pipe", () => {
  it.effect("lines at the start and the end of each job, and notes", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const reporter = makePlainReporter((line) => lines.push(line), paintFor(false))
      yield* reporter.emit({ _tag: "RunStarted", runId: "r", plan: planWith({}) })
      yield* reporter.emit({ _tag: "JobHit", job: "images", key })
      yield* reporter.emit({ _tag: "JobStarted", job: "teacher", key })
      yield* reporter.emit({ _tag: "JobNote", job: "teacher", line: "3 files quarantined" })
      yield* reporter.emit({ _tag: "JobFinished", job: "teacher", key, seconds: 3725, outputDigest: key })
      assert.deepStrictEqual(lines, [
        "✓ images            hit",
        "teacher: started (pretrain)",
        "teacher: 3 files quarantined",
        "✓ teacher           ran in 1:02:05"
      ])
    })
  )

  it.effect("whom a job waits for, and since when that computes", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const reporter = makePlainReporter((line) => lines.push(line), paintFor(false))
      yield* reporter.emit({ _tag: "RunStarted", runId: "r", plan: planWith({}) })
      yield* reporter.emit({ _tag: "RunNote", line: "no leases\nhere" })
      yield* TestClock.adjust("3 minutes")
      yield* reporter.emit(waiting("teacher", 0))
      yield* reporter.emit({ ...waiting("images", 0), holder: undefined })
      yield* reporter.emit({ _tag: "JobHit", job: "teacher", key })
      assert.deepStrictEqual(
        lines.map((line) => line.replace(/since \d\d:\d\d/, "since HH:MM")),
        [
          "no leases here",
          "teacher: waits for run 20261124-120000-abcdef on gpu-box (pid 123), computing since HH:MM, 3:00",
          "images: waits for another run",
          "✓ teacher           hit"
        ]
      )
    })
  )

  it.effect("a line of progress every ten seconds, sooner for a new epoch, never one a report", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const reporter = makePlainReporter((line) => lines.push(line), paintFor(false))
      yield* reporter.emit({ _tag: "JobStarted", job: "teacher", key })
      // Two reports a second for 30 s; a new epoch every 15 s.
      for (let tick = 1; tick <= 60; tick++) {
        yield* TestClock.adjust("500 millis")
        yield* reporter.emit(progress(`epoch ${Math.ceil(tick / 30)}/2`, tick))
      }
      assert.deepStrictEqual(
        lines.map((line) => line.replace(/ {2}.*/, "")),
        [
          "teacher: started (?)",
          "teacher: epoch 1/2",
          "teacher: epoch 1/2",
          "teacher: epoch 2/2",
          "teacher: epoch 2/2"
        ]
      )
      assert.strictEqual(lines[1], "teacher: epoch 1/2    4 %  loss 0.5000  ETA 0:48")
    })
  )
})
