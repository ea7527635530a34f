/** The contract of `Executor`: every implementation passes this suite unchanged. */

import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, type Layer, type Schema } from "effect"
import { digestOf } from "../../infra/hashing.ts"
import { BlobStore } from "../../lib/storage/BlobStore.ts"
import { Hasher } from "../../lib/storage/Digest.ts"
import { ObjectStore } from "../../lib/storage/ObjectStore.ts"
import { mainScope } from "../../lib/storage/Signature.ts"
import { Executor, type JobControl, type JobRequest, type JobSignal } from "../../lib/workflow/Executor.ts"
import { fingerprint } from "../../lib/workflow/Fingerprint.ts"
import * as ResumePoint from "../../lib/workflow/ResumePoint.ts"
import type { AnyStage } from "../../lib/workflow/Stage.ts"
import type { StateSeals } from "../../lib/workflow/StateSeals.ts"
import { add } from "../fixtures/toy/add.ts"
import { chain } from "../fixtures/toy/chain.ts"
import { misbehave } from "../fixtures/toy/misbehave.ts"
import { steps } from "../fixtures/toy/steps.ts"
import { until } from "../support/processes.ts"

type Services = Executor | ObjectStore | BlobStore | Hasher | StateSeals

export const requestOf = Effect.fnUntraced(function* (
  stage: unknown,
  params: Schema.JsonObject,
  inputs: JobRequest["inputs"] = {}
) {
  const jobKey = fingerprint(yield* Hasher, "test/1", { params })
  const foldOrigin = { base: jobKey, scope: mainScope, runId: "run", fromScratch: false }
  return {
    jobName: "toy",
    jobKey,
    stage: stage as AnyStage,
    params,
    inputs,
    externals: {},
    foldOrigin
  } satisfies JobRequest
})

/** Executes and keeps the signals. */
export const execute = Effect.fnUntraced(function* (
  request: JobRequest,
  signals: Array<JobSignal> = [],
  control?: JobControl
) {
  const executor = yield* Executor
  return yield* executor.execute(request, (signal) => Effect.sync(() => void signals.push(signal)), control)
})

const notesOf = (signals: ReadonlyArray<JobSignal>): ReadonlyArray<string> =>
  signals.flatMap((signal) => (signal._tag === "Note" ? [signal.line] : []))

/** Every use of `layer` makes an executor of its own, on the same store. */
export const executorSuite = (name: string, layer: Layer.Layer<Services, unknown>) => {
  const test = <E>(title: string, body: () => Effect.Effect<void, E, Services>) =>
    it.effect(title, () => Effect.provide(body(), layer))

  describe(`Executor (${name})`, () => {
    test("gives the encoded output, what the body states about itself, and its signals in order", () =>
      Effect.gen(function* () {
        const signals: Array<JobSignal> = []
        const totals = { one: { _tag: "Total", value: 1 }, two: { _tag: "Total", value: 2 } }
        const result = yield* execute(yield* requestOf(add, { plus: 4 }, { totals }), signals)
        assert.deepStrictEqual(result.value, { _tag: "Total", value: 7 })
        assert.deepStrictEqual(result.provenance, { abacus: "wood" })
        const seen = signals.map((signal) =>
          signal._tag === "Progress" ? signal.progress.done : signal.line
        )
        assert.deepStrictEqual(seen, [1, "halfway", 2])
      }))

    test("a body's own error is told with its tag and message", () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(execute(yield* requestOf(misbehave, { how: "fail" })))
        assert.strictEqual(error._tag, "StageFailed")
        assert.deepInclude(error, {
          jobName: "toy",
          stage: "misbehave",
          errorTag: "Misbehaved",
          reason: "as told",
          transient: false
        })
      }))

    test("an error that says it may pass is told so", () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(execute(yield* requestOf(misbehave, { how: "hiccup" })))
        assert.deepInclude(error, { _tag: "StageFailed", errorTag: "Hiccup", transient: true })
      }))

    test("a defect is told with its stack", () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(execute(yield* requestOf(misbehave, { how: "die" })))
        assert.deepInclude(error, { _tag: "StageFailed", errorTag: "Defect" })
        assert.match(error.message, /TypeError: a bug\n +at /)
      }))

    test("an output that does not fit its type is a failure", () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(execute(yield* requestOf(misbehave, { how: "unfit" })))
        assert.deepInclude(error, { _tag: "StageFailed", errorTag: "OutputUnfit" })
        assert.match(error.message, /no "total".*value/s)
      }))

    test("an input that does not fit is a failure", () =>
      Effect.gen(function* () {
        const totals = { one: { _tag: "Other" } }
        const error = yield* Effect.flip(execute(yield* requestOf(add, { plus: 4 }, { totals })))
        assert.deepInclude(error, { _tag: "StageFailed", errorTag: "InputUnfit" })
        assert.match(error.message, /totals\.one/)
      }))

    it.effect("a stopped job goes on from where it was, to the same result", () =>
      Effect.gen(function* () {
        const params = { steps: 12, millisPerStep: 20 }
        const signals: Array<JobSignal> = []
        const stopped = yield* Effect.gen(function* () {
          const executor = yield* Executor
          const running = yield* Effect.forkChild(execute(yield* requestOf(steps, params), signals))
          const isUnderWay = () =>
            signals.some((signal) => signal._tag === "Progress" && signal.progress.done >= 2)
          yield* Effect.promise(() => until(isUnderWay))
          yield* executor.requestStop
          const error = yield* Effect.flip(Fiber.join(running))
          const late = yield* Effect.flip(execute(yield* requestOf(steps, { ...params, steps: 3 })))
          assert.strictEqual(late._tag, "JobInterrupted")
          return error
        }).pipe(Effect.provide(layer))
        assert.strictEqual(stopped._tag, "JobInterrupted")
        yield* Effect.gen(function* () {
          const again: Array<JobSignal> = []
          const { value } = yield* execute(yield* requestOf(steps, params), again)
          assert.match(notesOf(again)[0]!, /goes on from step ([2-9]|1[01])$/)
          const trail = yield* (yield* BlobStore).get((value as never as { bytes: never }).bytes)
          assert.strictEqual(new TextDecoder().decode(trail), "0 1 2 3 4 5 6 7 8 9 10 11 ")
        }).pipe(Effect.provide(layer))
      })
    )

    test("one job is stopped by its own control, others are not", () =>
      Effect.gen(function* () {
        const [mine, others]: [Array<JobSignal>, Array<JobSignal>] = [[], []]
        const stop = yield* Deferred.make<void>()
        const control = { stop: Deferred.await(stop), kill: Effect.never }
        const long = yield* requestOf(steps, { steps: 500, millisPerStep: 20 })
        const running = yield* Effect.forkChild(execute(long, mine, control))
        const other = yield* Effect.forkChild(
          execute(yield* requestOf(steps, { steps: 8, millisPerStep: 20 }), others)
        )
        yield* Effect.promise(() => until(() => mine.length > 1 && others.length > 1))
        yield* Deferred.succeed(stop, undefined)
        assert.strictEqual((yield* Effect.flip(Fiber.join(running)))._tag, "JobInterrupted")
        assert.deepInclude((yield* Fiber.join(other)).value, { _tag: "Trail", steps: 8 })
      }))

    test("a job that is to end at once does, and is lost", () =>
      Effect.gen(function* () {
        const signals: Array<JobSignal> = []
        const kill = yield* Deferred.make<void>()
        const control = { stop: Effect.void, kill: Deferred.await(kill) }
        const running = yield* Effect.forkChild(
          execute(yield* requestOf(misbehave, { how: "hang" }), signals, control)
        )
        yield* Effect.promise(() => until(() => signals.length > 0))
        yield* Deferred.succeed(kill, undefined)
        assert.strictEqual((yield* Effect.flip(Fiber.join(running)))._tag, "WorkerLost")
      }))

    test("a job that is computed again goes on only from what its own run has saved", () =>
      Effect.gen(function* () {
        const saved = new TextEncoder().encode("0 1 2 ")
        for (const [fromScratch, runId, start] of [
          [false, "run", 3],
          [true, "run", 0],
          [true, "earlier run", 3]
        ] as const) {
          const request = yield* requestOf(steps, { steps: 4, millisPerStep: 1 })
          const { jobKey } = request
          yield* ResumePoint.save({ scope: mainScope, jobKey }, "earlier run", saved)
          const signals: Array<JobSignal> = []
          yield* execute({ ...request, foldOrigin: { ...request.foldOrigin, fromScratch, runId } }, signals)
          assert.match(notesOf(signals)[0]!, new RegExp(`goes on from step ${start}$`))
        }
      }))

    test("a saved state that nobody trusted has signed is not gone on from, and the job says so", () =>
      Effect.gen(function* () {
        const store = yield* ObjectStore
        const request = yield* requestOf(steps, { steps: 3, millisPerStep: 1 })
        const { jobKey } = request
        yield* ResumePoint.save({ scope: mainScope, jobKey }, "run", new TextEncoder().encode("0 1 "))
        const pointer = `${ResumePoint.stemOf({ scope: mainScope, jobKey }).stem}pointer.json`
        const saved = new TextDecoder().decode(yield* store.get(pointer))
        for (const [planted, why] of [
          [
            saved.replace('"run"', '"run2"'),
            /not used: it was changed after it was signed.*; it starts anew$/
          ],
          [saved.replace(/"signature"/, '"x"'), /not used: its pointer is not signed; it starts anew$/],
          [
            saved.replace(/ed25519:.{8}/, "ed25519:AAAAAAAA"),
            /signed by a key that is not trusted; to trust/
          ],
          [saved, /goes on from step 2$/]
        ] as const) {
          yield* store.put(pointer, new TextEncoder().encode(planted))
          const signals: Array<JobSignal> = []
          yield* execute(request, signals)
          assert.match(notesOf(signals)[0]!, why)
          yield* ResumePoint.save({ scope: mainScope, jobKey }, "run", new TextEncoder().encode("0 1 "))
        }
      }))

    it.effect("a fold goes on from the states of jobs that began alike, unless from scratch", () =>
      Effect.gen(function* () {
        const jobs = [
          { elements: ["a", "b", "c"], executed: ["a", "b", "c"] },
          { elements: ["a", "b", "c", "d"], executed: ["d"], found: 3 },
          { elements: ["a", "b", "x"], executed: ["x"], found: 2 },
          { elements: ["a", "b", "x"], executed: ["a", "b", "x"], fromScratch: true, runId: "other run" },
          {
            elements: ["a", "b", "c", "d", "e"],
            executed: ["a", "b", "c", "d", "e"],
            base: digestOf("other")
          }
        ]
        for (const { elements, executed, found, ...origin } of jobs) {
          const signals: Array<JobSignal> = []
          const request = yield* requestOf(chain, { elements })
          const foldOrigin = { ...request.foldOrigin, base: digestOf("code"), ...origin }
          const { provenance, value } = yield* execute({ ...request, foldOrigin }, signals)
          assert.deepStrictEqual(
            notesOf(signals),
            executed.map((element) => `element ${element}`)
          )
          const facts = found === undefined ? {} : { fold: { elements: elements.length, found } }
          assert.deepStrictEqual(provenance, facts)
          const trail = yield* (yield* BlobStore).get((value as never as { bytes: never }).bytes)
          assert.strictEqual(new TextDecoder().decode(trail), `${elements.join(" ")} `)
        }
      }).pipe(Effect.provide(layer))
    )

    test("an interrupted job ends", () =>
      Effect.gen(function* () {
        const signals: Array<JobSignal> = []
        const running = yield* Effect.forkChild(
          execute(yield* requestOf(misbehave, { how: "hang" }), signals)
        )
        yield* Effect.promise(() => until(() => signals.length > 0))
        yield* Fiber.interrupt(running)
      }))
  })
}
