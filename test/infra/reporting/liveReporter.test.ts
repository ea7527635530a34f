import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { makeLiveReporter } from "../../../infra/reporting/liveReporter.ts"
import { paintFor, widthOf } from "../../../infra/reporting/paint.ts"
import { FakeTerminal } from "./FakeTerminal.ts"
import { digest, planWith, record, reportOf, waiting } from "./fixtures.ts"

const key = digest("a")
const colourless = paintFor(false)

const epoch = (
  done: number,
  facts: { readonly [name: string]: number } = { "images/s": 812.4, loss: 0.52341 }
) => ({
  _tag: "JobProgress" as const,
  job: "teacher",
  progress: { phase: `epoch ${Math.ceil(done / 100)}/10`, done, total: 1000, unit: "steps", facts }
})

const startTeacher = Effect.fnUntraced(function* (terminal: FakeTerminal, paint = colourless) {
  const reporter = yield* makeLiveReporter(terminal, paint)
  yield* reporter.emit({ _tag: "RunStarted", runId: "r", plan: planWith({}) })
  yield* reporter.emit({ _tag: "JobHit", job: "images", key })
  yield* reporter.emit({ _tag: "JobStarted", job: "teacher", key })
  return reporter
})

describe("on a terminal", () => {
  it.effect("a running job has one live line, a finished one a line that stays", () =>
    Effect.gen(function* () {
      const terminal = new FakeTerminal(100)
      const reporter = yield* startTeacher(terminal)
      yield* reporter.emit(epoch(200))
      yield* TestClock.adjust("10 seconds")
      yield* reporter.emit(epoch(300))
      yield* TestClock.adjust("100 millis")
      assert.strictEqual(
        terminal.text,
        "✓ images            hit\n" +
          "⠋ teacher           epoch 3/10  ━━━━━───────────   30 %  812.4 images/s  loss 0.5234  ETA 1:10"
      )
      assert.isFalse(terminal.cursorVisible)
      yield* reporter.emit({ _tag: "JobFinished", job: "teacher", key, seconds: 125, outputDigest: key })
      yield* reporter.emit({
        _tag: "RunFinished",
        report: reportOf("ok", [record("teacher", "pretrain", {})])
      })
      assert.strictEqual(terminal.text, "✓ images            hit\n✓ teacher           ran in 2:05")
      assert.isTrue(terminal.cursorVisible)
    })
  )

  it.effect("a job that another run computes has a live line until it is there", () =>
    Effect.gen(function* () {
      const terminal = new FakeTerminal(120)
      const reporter = yield* startTeacher(terminal)
      yield* reporter.emit(waiting("teacher", 0))
      yield* TestClock.adjust("3 minutes")
      assert.match(
        terminal.text,
        /^… teacher +waits for run \S+ on gpu-box \(pid 123\), +computing since \d\d:\d\d, +3:00$/m
      )
      terminal.resize(40)
      yield* TestClock.adjust("1 second")
      assert.match(terminal.text, /^… teacher +3:01$/m)
      yield* reporter.emit({ _tag: "JobHit", job: "teacher", key })
      assert.strictEqual(terminal.text, "✓ images            hit\n✓ teacher           hit")
    })
  )

  it.effect("the remaining time counts from where a resumed job began", () =>
    Effect.gen(function* () {
      const terminal = new FakeTerminal(100)
      const reporter = yield* startTeacher(terminal)
      yield* reporter.emit(epoch(900))
      yield* TestClock.adjust("10 seconds")
      yield* reporter.emit(epoch(950))
      yield* TestClock.adjust("4 seconds")
      // 50 steps took 10 s, 50 are left, 4 s have passed since.
      assert.include(terminal.text, "ETA 0:06")
    })
  )

  it.effect("draws at most ten times a second, whatever is reported", () =>
    Effect.gen(function* () {
      const terminal = new FakeTerminal(100)
      const reporter = yield* startTeacher(terminal)
      const before = terminal.frames
      for (let step = 1; step <= 1000; step++) {
        yield* reporter.emit(epoch(step))
        if (step % 10 === 0) yield* TestClock.adjust("10 millis")
      }
      assert.isAtMost(terminal.frames - before, 11)
      assert.isAtLeast(terminal.frames - before, 5)
    })
  )
})

describe("a terminal of any size", () => {
  it.effect("no line reaches the last column, however narrow the terminal", () =>
    Effect.gen(function* () {
      for (let width = 9; width <= 120; width++) {
        const terminal = new FakeTerminal(width)
        const reporter = yield* startTeacher(terminal)
        yield* reporter.emit(epoch(200, { "images/s": 123456, loss: 1e-9, "grad norm": 12.5 }))
        yield* TestClock.adjust("200 millis")
        const live = terminal.lines[terminal.row - 1] ?? ""
        assert.match(live, /^[⠋⠙⠹⠸⠼⠴⠦⠧] t/)
        assert.isBelow(widthOf(live), width)
      }
    })
  )

  it.effect("what is left out first is the bar, last the percentage", () =>
    Effect.gen(function* () {
      const terminal = new FakeTerminal(60)
      const reporter = yield* startTeacher(terminal)
      yield* reporter.emit(epoch(200))
      yield* TestClock.adjust("100 millis")
      assert.notInclude(terminal.text, "━")
      assert.include(terminal.text, "20 %")
      terminal.resize(34)
      yield* TestClock.adjust("100 millis")
      assert.notInclude(terminal.text, "loss")
      assert.include(terminal.text, "20 %")
    })
  )

  it.effect("a terminal made narrower and wider again keeps no leftovers", () =>
    Effect.gen(function* () {
      const terminal = new FakeTerminal(100)
      const reporter = yield* startTeacher(terminal)
      for (const width of [40, 120, 23, 80]) {
        yield* reporter.emit(epoch(200))
        yield* TestClock.adjust("100 millis")
        terminal.resize(width)
        yield* TestClock.adjust("100 millis")
        assert.strictEqual(terminal.text.match(/teacher/g)?.length, 1, terminal.text)
      }
    })
  )

  it.effect("more jobs than rows: the rest is counted", () =>
    Effect.gen(function* () {
      const terminal = new FakeTerminal(80, 5)
      const reporter = yield* makeLiveReporter(terminal, colourless)
      for (let job = 1; job <= 9; job++) yield* reporter.emit({ _tag: "JobStarted", job: `job-${job}`, key })
      yield* TestClock.adjust("100 millis")
      assert.strictEqual(terminal.text.split("\n").length, 3)
      assert.include(terminal.text, "and 7 more jobs")
    })
  )
})

describe("other lines on a terminal", () => {
  it.effect("control characters from elsewhere do not reach the terminal", () =>
    Effect.gen(function* () {
      const terminal = new FakeTerminal(80)
      const reporter = yield* startTeacher(terminal)
      yield* reporter.emit({ _tag: "JobNote", job: "teacher", line: "a\u001b[2Jb\nc\u0007d" })
      assert.include(terminal.text, "teacher: ab c d")
    })
  )

  it.effect("announcements stand above the live lines", () =>
    Effect.gen(function* () {
      const terminal = new FakeTerminal(80)
      const reporter = yield* startTeacher(terminal)
      yield* TestClock.adjust("100 millis")
      yield* reporter.announce("stopping")
      assert.match(terminal.text, /hit\nstopping\n. teacher/)
    })
  )

  it.effect("failed, stopped and skipped jobs are told apart", () =>
    Effect.gen(function* () {
      const terminal = new FakeTerminal(80)
      const reporter = yield* startTeacher(terminal)
      yield* TestClock.adjust("31 seconds")
      yield* reporter.emit({ _tag: "JobSkipped", job: "teacher", because: "it was stopped" })
      yield* reporter.emit({
        _tag: "JobSkipped",
        job: "evaluate-teacher",
        because: 'its input "teacher" was skipped'
      })
      yield* reporter.emit({
        _tag: "JobFailed",
        job: "images",
        error: { tag: "X", message: "m", logTail: [] }
      })
      assert.strictEqual(
        terminal.text,
        "✓ images            hit\n" +
          "■ teacher           stopped after 31 s, its state is kept\n" +
          '- evaluate-teacher  skipped: its input "teacher" was skipped\n' +
          "✗ images            failed"
      )
    })
  )

  it.effect("the terminal is given back when the reporter ends, and when the process does", () =>
    Effect.gen(function* () {
      const terminal = new FakeTerminal(80)
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* startTeacher(terminal)
          yield* TestClock.adjust("100 millis")
          assert.strictEqual(terminal.exitHandlers.size, 1)
        })
      )
      assert.isTrue(terminal.cursorVisible)
      assert.isTrue(terminal.wraps)
      assert.strictEqual(terminal.exitHandlers.size, 0)
      assert.strictEqual(terminal.text, "✓ images            hit")
    })
  )
})
