/** Runs of schedules as real processes: exit codes, logs, and no process left behind. */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { childRunsLayer, logFileOf } from "../../../infra/schedule/childRuns.ts"
import { ScheduledRuns } from "../../../infra/schedule/ScheduledRuns.ts"
import { isAlive, until } from "../../support/processes.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"

const projectDir = temporaryFolder()

/** A program that does what the schedule's pipeline says, in words of JavaScript. */
const programFile = join(projectDir, "program.mjs")
writeFileSync(programFile, "console.log(JSON.stringify(process.argv.slice(2)))\neval(process.argv[3])\n")

const layer = (environment: { readonly [name: string]: string } = {}) =>
  childRunsLayer({ programFile, projectDir, environment: { PATH: process.env.PATH, ...environment } })

const schedule = (name: string, pipeline: string, set: ReadonlyArray<string> = []) => ({
  name,
  cron: "* * * * *",
  pipeline,
  set,
  addedAtMillis: 0
})

const log = (name: string): string => readFileSync(join(projectDir, logFileOf(name)), "utf8")

const run = (one: ReturnType<typeof schedule>, onStart: (pid: number) => void = () => undefined) =>
  Effect.flatMap(ScheduledRuns, (runs) => runs.run(one, (pid) => Effect.sync(() => onStart(pid))))

describe("a run", () => {
  it.live("gets pipeline and params, appends to its log, and gives its exit code", () =>
    Effect.gen(function* () {
      const pipeline = "console.error(process.env.COLOUR, process.cwd()); process.exitCode = 3"
      for (const _ of [1, 2]) {
        assert.strictEqual(yield* run(schedule("plain", pipeline, ["a.b=1", "c.d=2"])), 3)
      }
      const given = JSON.stringify(["run", pipeline, "--set", "a.b=1", "--set", "c.d=2"])
      const once = `${given}\nblue ${projectDir}\n`
      assert.strictEqual(log("plain"), once + once)
    }).pipe(Effect.provide(layer({ COLOUR: "blue" })))
  )

  it.live("that a signal ends has the exit code that a shell gives", () =>
    Effect.map(run(schedule("killed", "process.kill(process.pid, 'SIGKILL')")), (code) =>
      assert.strictEqual(code, 137)
    ).pipe(Effect.provide(layer()))
  )

  it.live("that cannot be started fails with the reason", () =>
    Effect.gen(function* () {
      const nowhere = childRunsLayer({ programFile, projectDir: "/proc/nowhere", environment: {} })
      const error = yield* Effect.flip(Effect.provide(run(schedule("none", "")), nowhere))
      assert.match(error.message, /run of "none" could not be started: .*ENOENT/)
    })
  )

  it.live("is asked to stop when it is interrupted, and waited for", () =>
    Effect.gen(function* () {
      let pid = 0
      const slowly = `process.on("SIGTERM", () => setTimeout(() => process.exit(), 300))
        setInterval(() => {}, 1000)
        console.log("ready")`
      const fiber = yield* Effect.forkChild(
        run(schedule("stopped", slowly), (started) => {
          pid = started
        })
      )
      yield* Effect.promise(() => until(() => pid > 0 && log("stopped").includes("ready\n")))
      const began = performance.now()
      yield* Fiber.interrupt(fiber)
      assert.isAbove(performance.now() - began, 250)
      assert.isFalse(isAlive(pid))
    }).pipe(Effect.provide(layer()))
  )
})
