/** Networks of three kinds: on both runtimes, twice, and killed in between. */
import { spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { encodeResumePoint } from "../../../lib/train/ResumePoint.ts"
import { NARROW, type NarrowName } from "../../support/networks/narrow.ts"
import { lossesOf, trainNarrow } from "../../support/networks/narrowTraining.ts"
import { native, portable } from "../../support/runtimes.ts"

const STEPS = 20
const KILLED_AFTER = 9

const test = it.effect.skipIf(native.skipped !== "")

for (const name of NARROW) {
  describe(`training a narrow ${name} for ${STEPS} steps${native.skipped}`, () => {
    test("comes to the losses of the portable runtime", () =>
      Effect.gen(function* () {
        const job = { name, precision: "float32", steps: STEPS } as const
        const traced = lossesOf(yield* Effect.provide(trainNarrow(job), native.layer))
        const eager = lossesOf(yield* Effect.provide(trainNarrow(job), portable.layer))
        expect(traced).toHaveLength(STEPS)
        expect(traced.at(-1)).toBeLessThan(traced[0]! / 2)
        const apart = traced.map((loss, index) => Math.abs(loss - eager[index]!))
        expect(Math.max(...apart)).toBeLessThan(1e-4)
      }))

    test(
      "gives the same bytes again, and when it was killed and went on",
      () =>
        Effect.gen(function* () {
          const job = { name, precision: "bfloat16", steps: STEPS, augmented: true } as const
          const first = encodeResumePoint(yield* Effect.provide(trainNarrow(job), native.layer))
          expect(encodeResumePoint(yield* Effect.provide(trainNarrow(job), native.layer))).toEqual(first)
          expect(yield* Effect.promise(() => killedAndResumed(name))).toEqual(first)
        }),
      60_000
    )
  })
}

/** The state in the file of a process that was killed on its way. */
const killedAndResumed = async (name: NarrowName): Promise<Uint8Array> => {
  const folder = mkdtempSync(join(tmpdir(), "distillery-killed-"))
  const file = join(folder, "state")
  try {
    const killed = await trainInChild(name, file, KILLED_AFTER)
    expect(killed.signal).toBe("SIGKILL")
    const resumed = await trainInChild(name, file, STEPS + 1)
    expect(resumed.signal).toBe(null)
    expect(resumed.steps[0]).toBeGreaterThan(KILLED_AFTER)
    return new Uint8Array(readFileSync(file))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const script = join(import.meta.dirname, "../../support/networks/narrowChild.ts")

/** Kills the process once it has said that so many steps are done; answers the steps it said. */
const trainInChild = (name: NarrowName, file: string, killAt: number) =>
  new Promise<{ readonly signal: NodeJS.Signals | null; readonly steps: ReadonlyArray<number> }>(
    (resolve, reject) => {
      const args = ["--import", "tsx", script, name, "bfloat16", String(STEPS), file]
      const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] })
      const steps: Array<number> = []
      child.stdout.on("data", (said: Buffer) => {
        steps.push(...said.toString().trim().split("\n").map(Number))
        if (steps.at(-1)! >= killAt) child.kill("SIGKILL")
      })
      child.on("error", reject)
      child.on("close", (_, signal) => resolve({ signal, steps }))
    }
  )
