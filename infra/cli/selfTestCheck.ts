/** Runs the self-test in a process of its own, and says what it came to. */
import { execFile } from "node:child_process"
import { Effect } from "effect"
import { type Finding, fail, ok, warn } from "./finding.ts"
import { programFile } from "./programFile.ts"
import type { SelfTestResult } from "./selfTest.ts"

export type SelfTestOutcome =
  | { readonly _tag: "Done"; readonly result: SelfTestResult }
  /** What ended it: a signal, or what it wrote last. */
  | { readonly _tag: "Failed"; readonly reason: string; readonly crashed: boolean }

const timeoutMillis = 60_000

export const runSelfTest: Effect.Effect<SelfTestOutcome> = Effect.callback((resume) => {
  const options = { timeout: timeoutMillis, killSignal: "SIGKILL", encoding: "utf8" } as const
  const child = execFile(process.execPath, [programFile(), "self-test"], options, (error, stdout, stderr) => {
    resume(Effect.succeed(outcomeOf(error, stdout, stderr)))
  })
  return Effect.sync(() => void child.kill("SIGKILL"))
})

const outcomeOf = (
  error: (Error & { readonly signal?: NodeJS.Signals | null; readonly killed?: boolean }) | null,
  stdout: string,
  stderr: string
): SelfTestOutcome => {
  if (error === null) return resultOf(stdout)
  if (error.killed === true) {
    return { _tag: "Failed", reason: `it took longer than ${timeoutMillis / 1000} s`, crashed: false }
  }
  if (error.signal != null)
    return { _tag: "Failed", reason: `its process ended by ${error.signal}`, crashed: true }
  return { _tag: "Failed", reason: stderr.trim().replace(/^error: /, "") || error.message, crashed: false }
}

/** A library may write to stdout, too. */
const resultOf = (stdout: string): SelfTestOutcome => {
  try {
    return { _tag: "Done", result: JSON.parse(stdout) as SelfTestResult }
  } catch {
    const start = JSON.stringify(stdout.slice(0, 200))
    return {
      _tag: "Failed",
      reason: `its process wrote something else than its result: ${start}`,
      crashed: false
    }
  }
}

/** Of a loss around 1, after a few steps. */
const differenceMax = 1e-3

const millis = (value: number): string => `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`

export const selfTestFinding = (outcome: SelfTestOutcome): Finding => {
  const name = "self-test"
  if (outcome._tag === "Failed") {
    const fix = outcome.crashed
      ? "The library or our kernels do not fit this machine: try DISTILLERY_KERNELS=stock, " +
        "then DISTILLERY_BACKEND=portable"
      : "npx distillery runtime list --verify; DISTILLERY_BACKEND=portable trains without the library"
    return fail(name, `a small training step does not run: ${outcome.reason}`, fix)
  }
  const { native, portable } = outcome.result
  const eager = `${millis(portable.stepMillis)} a step eagerly`
  if (native === undefined) return ok(name, `a small residual net trains: ${eager}`)
  const differences = native.losses.map((loss, step) => Math.abs(loss - portable.losses[step]!))
  const largest = Math.max(...differences)
  const speeds = `${millis(native.stepMillis)} a step traced, ${eager}`
  if (!(largest <= differenceMax)) {
    const fix = "Please report it with `npx distillery doctor --json`; DISTILLERY_KERNELS=stock may help"
    return fail(name, `traced and eager losses differ by ${largest.toExponential(1)}: ${speeds}`, fix)
  }
  const text = `a small residual net trains alike: ${speeds}, losses within ${largest.toExponential(1)}`
  return native.stepMillis > portable.stepMillis
    ? warn(name, text, "Is the machine busy? Look at the threads and the kernels above")
    : ok(name, text)
}

/** What TensorFlow says of itself, which only a process that loads it can ask. */
export const libraryFinding = (outcome: SelfTestOutcome): ReadonlyArray<Finding> => {
  if (outcome._tag === "Failed" || outcome.result.native === undefined) return []
  const { backend, library, oneDnn } = outcome.result.native
  const device = backend === "tensorflow-gpu" ? "computes on the GPU" : "computes on the CPU"
  const built = oneDnn === null ? "" : `, oneDNN ${oneDnn ? "on" : "off"}`
  const text = `${library}, ${device}${built}`
  return [
    oneDnn === false && backend !== "tensorflow-gpu"
      ? warn("library", text, "It takes twice as long without oneDNN: unset TF_ENABLE_ONEDNN_OPTS")
      : ok("library", text)
  ]
}
