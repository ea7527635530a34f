import { assert, it } from "vitest"
import { sharedWork } from "../../../infra/cli/sharedWork.ts"
import type { RunOutcome } from "../../../lib/workflow/Runner.ts"

const job = (name: string, ...inputs: ReadonlyArray<string>) => ({
  name,
  inputs: Object.fromEntries(inputs.map((input) => [input, input]))
})
const pipeline = {
  name: "p",
  description: "",
  jobs: [
    job("data"),
    job("teacher", "data"),
    job("a", "data"),
    job("score-a", "a"),
    job("b", "data", "teacher"),
    job("score-b", "b")
  ]
} as unknown as Parameters<typeof sharedWork>[0]

const outcome = (
  seconds: Record<string, number>,
  folds: Record<string, { elements: number; found: number; own?: number }> = {}
) =>
  ({
    manifests: Object.fromEntries(
      Object.entries(seconds).map(([name, one]) => [
        name,
        { provenance: { seconds: one, ...(folds[name] && { fold: folds[name] }) } }
      ])
    ),
    report: { jobs: [{ seconds: 30 }, { seconds: 0 }] }
  }) as unknown as RunOutcome

const seconds = { data: 5, teacher: 100, a: 30, "score-a": 1, b: 40, "score-b": 1 }

it("counts every job once together, and with all it needs for each score alone", () => {
  const work = sharedWork(pipeline, outcome(seconds), ["score-a", "score-b"])
  assert.deepStrictEqual(work, { aloneSeconds: 36 + 146, togetherSeconds: 177, nowSeconds: 30 })
})

it("counts one that two rows share twice alone, once together", () => {
  const { aloneSeconds, togetherSeconds } = sharedWork(pipeline, outcome(seconds), ["score-a", "score-a"])
  assert.deepStrictEqual([aloneSeconds, togetherSeconds], [72, 36])
})

it("counts epochs that a training found as taken by it alone", () => {
  const folds = { a: { elements: 8, found: 2 } }
  const { aloneSeconds, togetherSeconds } = sharedWork(pipeline, outcome(seconds, folds), ["score-a"])
  assert.deepStrictEqual([aloneSeconds, togetherSeconds], [46, 36])
})

it("counts epochs that a training had done itself, before it was cut off, together as well", () => {
  const folds = { a: { elements: 8, found: 5, own: 3 } }
  const { aloneSeconds, togetherSeconds } = sharedWork(pipeline, outcome(seconds, folds), ["score-a"])
  // 30 s for the last 3 of 8 epochs: 10 s each.
  assert.deepStrictEqual([aloneSeconds, togetherSeconds], [86, 66])
})
