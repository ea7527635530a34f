/**
 * A process that trains a narrow network on the native runtime and writes its state into a file after every
 * step: `narrowChild.ts NAME PRECISION STEPS FILE`. Goes on from the file if it is there; says each step.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs"
import process from "node:process"
import { Effect } from "effect"
import type { Precision } from "../../../lib/tensor/Runtime.ts"
import { decodeResumePoint, encodeResumePoint, type ResumePoint } from "../../../lib/train/ResumePoint.ts"
import { native } from "../runtimes.ts"
import { type NarrowName, narrowClassifier } from "./narrow.ts"
import { trainNarrow } from "./narrowTraining.ts"

const [name, precision, steps, file] = process.argv.slice(2) as [NarrowName, Precision, string, string]

const save = (state: ResumePoint) =>
  Effect.sync(() => {
    writeFileSync(`${file}.new`, encodeResumePoint(state))
    renameSync(`${file}.new`, file)
    process.stdout.write(`${state.epoch}\n`)
  })

const run = Effect.gen(function* () {
  const { weights } = yield* narrowClassifier(name)
  const start = existsSync(file)
    ? yield* decodeResumePoint(new Uint8Array(readFileSync(file)), weights)
    : undefined
  yield* trainNarrow({ name, precision, steps: Number(steps), augmented: true, start, save })
}).pipe(Effect.provide(native.layer))

await Effect.runPromise(run)
