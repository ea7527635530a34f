/** Runs schedules by this very program, each run in a process of its own, its output in a log. */
import { type ChildProcess, spawn } from "node:child_process"
import { closeSync, openSync } from "node:fs"
import { constants } from "node:os"
import { dirname, join } from "node:path"
import { Effect, Layer } from "effect"
import { makeFolder } from "../stores/makeFolder.ts"
import type { ScheduleRecord } from "./ScheduleBook.ts"
import { RunNotStarted, ScheduledRuns } from "./ScheduledRuns.ts"

export interface ChildRunsOptions {
  /** The program's entry, as this process was started with. */
  readonly programFile: string
  readonly projectDir: string
  readonly environment: { readonly [name: string]: string | undefined }
}

/** Relative to the project. */
export const logFileOf = (schedule: string): string => join(".distillery", "logs", `${schedule}.log`)

export const runArguments = ({ pipeline, set }: Pick<ScheduleRecord, "pipeline" | "set">) => [
  "run",
  pipeline,
  ...set.flatMap((setting) => ["--set", setting])
]

/**
 * In a group of its own, so that the terminal's Ctrl-C reaches it through us alone, and with a channel to us,
 * by whose end it notices that we are gone.
 */
const start = (schedule: ScheduleRecord, options: ChildRunsOptions, log: number): ChildProcess =>
  spawn(process.execPath, [options.programFile, ...runArguments(schedule)], {
    cwd: options.projectDir,
    env: { ...options.environment },
    stdio: ["ignore", log, log, "ipc"],
    detached: true
  })

/** As a shell counts: 128 and the signal's number for a process that a signal has ended. */
const exitCodeOf = (code: number | null, signal: NodeJS.Signals | null): number =>
  code ?? 128 + (signal === null ? 0 : constants.signals[signal])

/** Rejects where the process could not be started. */
const endOf = (child: ChildProcess): Promise<number> =>
  new Promise((resolve, reject) => {
    child.on("exit", (code, signal) => resolve(exitCodeOf(code, signal)))
    child.on("error", (error) => {
      if (child.pid === undefined) reject(error)
    })
  })

const openLog = async (file: string): Promise<number> => {
  await makeFolder(dirname(file))
  return openSync(file, "a")
}

export const childRunsLayer = (options: ChildRunsOptions): Layer.Layer<ScheduledRuns> => {
  const notStarted = (schedule: ScheduleRecord) => (error: unknown) =>
    new RunNotStarted({ schedule: schedule.name, reason: String((error as Error).message ?? error) })

  const runLogged = (schedule: ScheduleRecord, log: number, onStart: (pid: number) => Effect.Effect<void>) =>
    Effect.acquireUseRelease(
      Effect.sync(() => {
        const child = start(schedule, options, log)
        return { child, ended: endOf(child) }
      }),
      ({ child, ended }) =>
        Effect.andThen(
          child.pid === undefined ? Effect.void : onStart(child.pid),
          Effect.tryPromise({ try: () => ended, catch: notStarted(schedule) })
        ),
      ({ child, ended }) =>
        Effect.promise(() => {
          if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM")
          return ended.catch(() => undefined)
        })
    )

  return Layer.succeed(ScheduledRuns, {
    run: (schedule, onStart) =>
      Effect.acquireUseRelease(
        Effect.tryPromise({
          try: () => openLog(join(options.projectDir, logFileOf(schedule.name))),
          catch: notStarted(schedule)
        }),
        (log) => runLogged(schedule, log, onStart),
        (log) => Effect.sync(() => closeSync(log))
      )
  })
}
