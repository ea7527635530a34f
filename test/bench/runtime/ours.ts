/**
 * Our side of `npm run bench -- runtime` in a process of its own. Argument: an `Assignment` as JSON. Says
 * what it is once its first step is done, then reads lines "N" from standard input, runs N steps for each
 * and answers what they took, as JSON.
 */
import { readFileSync } from "node:fs"
import process from "node:process"
import { createInterface } from "node:readline"
import { Effect } from "effect"
import { TensorRuntime } from "../../../lib/tensor/Runtime.ts"
import { nativeWith } from "../../support/runtimes.ts"
import type { Assignment, Timing } from "./cases.ts"
import { openStep } from "./openStep.ts"

const assignment = JSON.parse(process.argv[2]!) as Assignment

const peakMebibytes = (): number =>
  Number(/VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))![1]) / 1024

const timing = <E>(step: Effect.Effect<void, E>, count: number): Effect.Effect<Timing, E> =>
  Effect.gen(function* () {
    const before = process.resourceUsage()
    const began = performance.now()
    // Not `Effect.repeat`, whose schedule takes as long as the step's own call.
    for (let done = 0; done < count; done++) yield* step
    const wall = (performance.now() - began) / count
    const after = process.resourceUsage()
    const system = after.systemCPUTime - before.systemCPUTime
    return {
      wall,
      cpu: (after.userCPUTime - before.userCPUTime + system) / 1000 / count,
      system: system / 1000 / count,
      pageFaults: (after.minorPageFault - before.minorPageFault) / count,
      peakMebibytes: peakMebibytes()
    }
  })

const say = (answer: unknown): void => void process.stdout.write(`${JSON.stringify(answer)}\n`)

const measured = Effect.gen(function* () {
  const step = yield* openStep(assignment)
  yield* step
  const { numerics } = yield* TensorRuntime
  say({ version: numerics.library })
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
  for (;;) {
    const line = yield* Effect.promise(() => lines.next())
    if (line.done === true) return
    say(yield* timing(step, Number(line.value)))
  }
})

await measured.pipe(
  Effect.scoped,
  Effect.provide(nativeWith({ threads: assignment.threads })),
  Effect.runPromise
)
// Native libraries keep threads that would hold the process.
process.exit(0)
