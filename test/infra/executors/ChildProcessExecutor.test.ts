import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { childEnvironment } from "../../../infra/executors/ChildProcessExecutor.ts"
import { Hasher } from "../../../lib/storage/Digest.ts"
import type { JobSignal } from "../../../lib/workflow/Executor.ts"
import { fingerprint } from "../../../lib/workflow/Fingerprint.ts"
import type { AnyStage } from "../../../lib/workflow/Stage.ts"
import { misbehave } from "../../fixtures/toy/misbehave.ts"
import { execute, executorSuite } from "../../suites/executor.ts"
import { isAlive, until } from "../../support/processes.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"
import { toyChildren } from "../../support/toyCode.ts"

const layer = toyChildren(temporaryFolder())
executorSuite("child process", layer)

const misbehaving = Effect.fnUntraced(function* (how: string, signals: Array<JobSignal> = []) {
  const jobKey = fingerprint(yield* Hasher, "test/1", how)
  const stage = misbehave as unknown as AnyStage
  return yield* execute({ jobName: "toy", jobKey, stage, params: { how }, inputs: {} }, signals)
})

describe("a child", () => {
  it.effect("that is killed is told with the signal and its last lines", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(misbehaving("kill"))
      assert.deepInclude(error, { _tag: "WorkerLost", how: "signal SIGKILL", logTail: ["last words"] })
    }).pipe(Effect.provide(layer))
  )

  it.effect("that exits by itself is told with its exit code", () =>
    Effect.gen(function* () {
      assert.deepInclude(yield* Effect.flip(misbehaving("exit")), { _tag: "WorkerLost", how: "exit code 3" })
    }).pipe(Effect.provide(layer))
  )

  it.effect("sees only the allowed part of the environment", () =>
    Effect.gen(function* () {
      const { provenance } = yield* misbehaving("environment")
      const names = provenance.names as ReadonlyArray<string>
      assert.includeMembers([...names], ["DISTILLERY_STORE", "PATH", "UV_THREADPOOL_SIZE"])
      assert.notIncludeMembers([...names], ["VITEST", "NODE_ENV"])
    }).pipe(Effect.provide(layer))
  )

  it.effect("is gone once its job is interrupted", () =>
    Effect.gen(function* () {
      const signals: Array<JobSignal> = []
      const running = yield* Effect.forkChild(misbehaving("hang", signals))
      yield* Effect.promise(() => until(() => signals.length > 0))
      const pid = Number((signals[0] as Extract<JobSignal, { _tag: "Note" }>).line.split(" ")[1])
      assert.isTrue(isAlive(pid))
      yield* Fiber.interrupt(running)
      yield* Effect.promise(() => until(() => !isAlive(pid)))
    }).pipe(Effect.provide(layer))
  )
})

describe("childEnvironment", () => {
  it("lets through what a job may need, and sizes libuv's pool", () => {
    const environment = { PATH: "/bin", AWS_REGION: "x", DISTILLERY_STORE: "y", SECRET: "z", HOME: undefined }
    assert.deepStrictEqual(childEnvironment(environment, 6), {
      PATH: "/bin",
      AWS_REGION: "x",
      DISTILLERY_STORE: "y",
      UV_THREADPOOL_SIZE: "6"
    })
  })
})
