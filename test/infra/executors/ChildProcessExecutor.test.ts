import { readFileSync } from "node:fs"
import { afterAll, assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Layer } from "effect"
import { CodeBundles } from "../../../infra/code/CodeClosure.ts"
import { childEnvironment } from "../../../infra/executors/childEnvironment.ts"
import { Executor, type JobSignal } from "../../../lib/workflow/Executor.ts"
import { misbehave } from "../../fixtures/toy/misbehave.ts"
import { steps } from "../../fixtures/toy/steps.ts"
import { execute, executorSuite, requestOf } from "../../suites/executor.ts"
import { memoryLimit } from "../../support/memoryLimit.ts"
import { isAlive, until } from "../../support/processes.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"
import { toyChildren, toyCode, toyStorage } from "../../support/toyCode.ts"

const layer = toyChildren(temporaryFolder())
executorSuite("child process", layer)

/** The first thing it notes. */
const pidIn = ([first]: ReadonlyArray<JobSignal>) =>
  Number((first as Extract<JobSignal, { _tag: "Note" }>).line.split(" ")[1])

const misbehaving = Effect.fnUntraced(function* (how: string, signals: Array<JobSignal> = []) {
  return yield* execute(yield* requestOf(misbehave, { how }), signals)
})

describe("a child", () => {
  it.effect("that is killed is told with the signal and its last lines, told as they came, too", () =>
    Effect.gen(function* () {
      const signals: Array<JobSignal> = []
      const error = yield* Effect.flip(misbehaving("kill", signals))
      assert.deepInclude(signals, { _tag: "Output", line: "last words" })
      const expected = { _tag: "WorkerLost", how: "signal SIGKILL", isOutOfMemory: false } as const
      assert.deepInclude(error, { ...expected, logTail: ["last words"] })
    }).pipe(Effect.provide(layer))
  )

  const limit = memoryLimit(`distillery-test-${process.pid}`, 2 ** 28)
  const unlimited = limit === undefined ? " (skipped: no control group can be made here)" : ""
  afterAll(() => limit?.close())

  it.effect.skipIf(limit === undefined)(`that the system kills for its memory is told so${unlimited}`, () =>
    Effect.gen(function* () {
      const signals: Array<JobSignal> = []
      const running = yield* Effect.forkChild(Effect.flip(misbehaving("gorge", signals)))
      yield* Effect.promise(() => until(() => signals.length > 0))
      limit!.add(pidIn(signals))
      const error = yield* Fiber.join(running)
      assert.deepInclude(error, { _tag: "WorkerLost", how: "signal SIGKILL", isOutOfMemory: true })
      assert.match(error.message, /ran out of memory.*microBatchSize/)
    }).pipe(Effect.provide(layer))
  )

  it.effect("that exits by itself is told with its exit code", () =>
    Effect.gen(function* () {
      assert.deepInclude(yield* Effect.flip(misbehaving("exit")), { _tag: "WorkerLost", how: "exit code 3" })
    }).pipe(Effect.provide(layer))
  )

  it.effect("whose body breaks is told with the line of its source", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(misbehaving("die"))
      const lines = readFileSync("test/fixtures/toy/misbehave.run.ts", "utf8").split("\n")
      const line = lines.findIndex((text) => text.includes('"a bug"')) + 1
      assert.include(error.message, "TypeError: a bug")
      assert.include(error.message, `test/fixtures/toy/misbehave.run.ts:${line}:`)
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
      const pid = pidIn(signals)
      assert.isTrue(isAlive(pid))
      yield* Fiber.interrupt(running)
      yield* Effect.promise(() => until(() => !isAlive(pid)))
    }).pipe(Effect.provide(layer))
  )
})

describe("a job whose code is still being looked up", () => {
  it.effect("does not start once a stop was asked for", () =>
    Effect.gen(function* () {
      const folder = temporaryFolder()
      const asked = yield* Deferred.make<void>()
      const answer = yield* Deferred.make<void>()
      const slowCode = Layer.effect(
        CodeBundles,
        Effect.map(CodeBundles, ({ of }) => ({
          of: (job: Parameters<typeof of>[0]) =>
            Deferred.succeed(asked, undefined).pipe(
              Effect.andThen(Deferred.await(answer)),
              Effect.andThen(of(job))
            )
        }))
      ).pipe(Layer.provideMerge(toyCode(folder)))
      const error = yield* Effect.gen(function* () {
        const executor = yield* Executor
        const request = yield* requestOf(steps, { steps: 3, millisPerStep: 1 })
        const job = executor.execute(request, () => Effect.void)
        const running = yield* Effect.forkChild(job)
        yield* Deferred.await(asked)
        yield* executor.requestStop
        yield* Deferred.succeed(answer, undefined)
        return yield* Effect.flip(Fiber.join(running))
      }).pipe(Effect.provide(toyChildren(folder, slowCode)), Effect.provide(toyStorage(folder)))
      assert.strictEqual(error._tag, "JobInterrupted")
    })
  )
})

describe("a reporter that breaks", () => {
  it.effect("ends its job with that defect, and not this process", () =>
    Effect.gen(function* () {
      // For hours, were the child not killed.
      const request = yield* requestOf(steps, { steps: 100_000, millisPerStep: 50 })
      const executor = yield* Executor
      const exit = yield* Effect.exit(
        executor.execute(request, () => Effect.die(new Error("the screen is gone")))
      )
      assert.isTrue(Exit.isFailure(exit))
      if (Exit.isFailure(exit)) assert.match(Cause.pretty(exit.cause), /the screen is gone/)
    }).pipe(Effect.provide(layer))
  )
})

describe("childEnvironment", () => {
  it("lets through what a job may need, and sizes libuv's pool", () => {
    const given = {
      PATH: "/bin",
      AWS_REGION: "x",
      DISTILLERY_STORE: "y",
      HTTPS_PROXY: "http://proxy",
      no_proxy: "localhost",
      NODE_EXTRA_CA_CERTS: "/ca.pem"
    }
    const withheld = {
      SECRET: "z",
      DISTILLERY_KEY: "z",
      MY_HTTPS_PROXY: "z",
      NODE_OPTIONS: "--inspect",
      HOME: undefined
    }
    assert.deepStrictEqual(childEnvironment({ ...given, ...withheld }, 6), {
      ...given,
      GLIBC_TUNABLES:
        "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=1048576:glibc.malloc.trim_threshold=33554432",
      UV_THREADPOOL_SIZE: "6"
    })
  })

  it("leaves glibc as the user has tuned it", () => {
    const GLIBC_TUNABLES = "glibc.malloc.arena_max=1"
    assert.strictEqual(childEnvironment({ GLIBC_TUNABLES }, 6).GLIBC_TUNABLES, GLIBC_TUNABLES)
  })
})
