/**
 * Goal: a process that serves many jobs is to each of them as good as a fresh one. Method: jobs that leave
 * something behind, and tell what they find.
 */
import { assert, it, layer } from "@effect/vitest"
import { Effect } from "effect"
import type { JobSignal } from "../../../lib/workflow/Executor.ts"
import { litter, litters } from "../../fixtures/toy/litter.ts"
import { misbehave } from "../../fixtures/toy/misbehave.ts"
import { steps } from "../../fixtures/toy/steps.ts"
import { execute, requestOf } from "../../suites/executor.ts"
import { isAlive, until } from "../../support/processes.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"
import { toyChildren } from "../../support/toyCode.ts"

const children = toyChildren(temporaryFolder())
type Litter = (typeof litters)[number]

const run = Effect.fnUntraced(function* (stage: unknown, params: object, signals: Array<JobSignal> = []) {
  return yield* execute(yield* requestOf(stage, params as never), signals)
})

const littering = Effect.fnUntraced(function* (leaves: Litter, signals: Array<JobSignal> = []) {
  const { provenance } = yield* run(litter, { leaves }, signals)
  return provenance as { readonly pid: number; readonly found: ReadonlyArray<string> }
})

layer(children)("a child that served a job", (it) => {
  it.effect("serves the next one of its pool", () =>
    Effect.gen(function* () {
      const first = yield* littering("nothing")
      const second = yield* littering("nothing")
      assert.strictEqual(second.pid, first.pid)
    })
  )

  it.effect("serves one job at a time", () =>
    Effect.gen(function* () {
      const [first, second] = yield* Effect.all([littering("nothing"), littering("nothing")], {
        concurrency: 2
      })
      assert.notStrictEqual(second.pid, first.pid)
    })
  )

  it.effect.each(litters)("which left behind: %s, shows the next one nothing of it", (leaves) =>
    Effect.gen(function* () {
      const first = yield* littering(leaves)
      const second = yield* littering("nothing")
      assert.deepStrictEqual(second.found, [])
      const isReused = second.pid === first.pid
      assert.strictEqual(isReused, ["nothing", "module", "environment", "folder"].includes(leaves))
      if (!isReused) yield* Effect.promise(() => until(() => !isAlive(first.pid)))
    })
  )

  it.effect("tells of each job what that printed, and no more", () =>
    Effect.gen(function* () {
      for (const leaves of ["nothing", "module", "nothing"] as const) {
        const signals: Array<JobSignal> = []
        yield* littering(leaves, signals)
        const lines = signals.flatMap((signal) => (signal._tag === "Output" ? [signal.line] : []))
        assert.deepStrictEqual(lines.sort(), [`leaves ${leaves}`, "to the next"])
      }
    })
  )

  it.effect("and is killed while it waits costs no job anything", () =>
    Effect.gen(function* () {
      const first = yield* littering("nothing")
      process.kill(first.pid, "SIGKILL")
      yield* Effect.promise(() => until(() => !isAlive(first.pid)))
      const second = yield* littering("nothing")
      assert.notStrictEqual(second.pid, first.pid)
    })
  )

  it.effect("and crashes in the next loses only that one", () =>
    Effect.gen(function* () {
      const first = yield* littering("nothing")
      const error = yield* Effect.flip(run(misbehave, { how: "kill" }))
      assert.deepInclude(error, { _tag: "WorkerLost", how: "signal SIGKILL", logTail: ["last words"] })
      const third = yield* littering("nothing")
      assert.notStrictEqual(third.pid, first.pid)
      assert.deepStrictEqual(third.found, [])
    })
  )

  it.effect("is not used for the pool gpu, nor is a child of that pool used again", () =>
    Effect.gen(function* () {
      const pids = new Set<number>([(yield* littering("nothing")).pid])
      for (const numSteps of [1, 2]) {
        const signals: Array<JobSignal> = []
        yield* run(steps, { steps: numSteps, millisPerStep: 1 }, signals)
        pids.add(Number((signals[0] as Extract<JobSignal, { _tag: "Note" }>).line.split(" ")[1]))
      }
      assert.strictEqual(pids.size, 3)
    })
  )
})

it.effect("a child that waits is gone when the run is over", () =>
  Effect.gen(function* () {
    const { pid } = yield* Effect.provide(littering("nothing"), children)
    yield* Effect.promise(() => until(() => !isAlive(pid)))
  })
)
