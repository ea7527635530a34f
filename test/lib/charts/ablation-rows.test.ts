import { assert, describe, it } from "vitest"
import type { RowChoice } from "../../../lib/charts/AblationDocument.ts"
import { comparedRows, ladderOf, sumsOf } from "../../../lib/charts/ablation-rows.ts"
import { accuracyText, gainText, intervalText, signed } from "../../../lib/charts/ablation-words.ts"
import { paperGainsOf } from "../../../lib/charts/paper-tables.ts"
import { type TrickName, trickNames } from "../../../lib/train/tricks.ts"

const measured = (
  name: string,
  trick: RowChoice["trick"],
  comparedWith: string | null,
  top1: ReadonlyArray<number>
) => ({
  row: { name, title: name, trick, comparedWith, besides: null, params: [] },
  numParams: 10,
  macs: 20,
  top1
})

const rows = comparedRows([
  measured("base", null, null, [0.5, 0.6, 0.7]),
  measured("warmup", "warmup", "base", [0.52, 0.61, 0.73]),
  measured("gamma", "zero-gamma", "warmup", [0.5, 0.64, 0.73]),
  measured("cosine", "cosine", "gamma", [0.49, 0.63, 0.721]),
  measured("only-cosine", "cosine", "base", [0.511, 0.61, 0.71])
])
const named = (name: string) => rows.find((row) => row.name === name)!

describe("a row", () => {
  it("is compared seed by seed, and shows no effect where the interval holds 0", () => {
    const { gain } = named("warmup")
    assert.approximately(gain!.mean, 0.02, 1e-12)
    assert.approximately(gain!.sd!, 0.01, 1e-12)
    assert.approximately(gain!.interval![0], 0.02 - 0.0248413771, 1e-9, "t(0.975, 2) = 4.3027")
    assert.strictEqual(gain!.verdict, "no effect shown")
    assert.isNull(named("base").gain)
  })

  it("gains or loses where all of the interval does", () => {
    assert.strictEqual(named("cosine").gain!.verdict, "loss")
    assert.strictEqual(named("only-cosine").gain!.verdict, "gain")
  })

  it("of which all seeds differ alike shows no effect: their spread is not known", () => {
    const before = [0.51, 0.62, 0.73]
    const [, after] = comparedRows([
      measured("a", null, null, before),
      measured(
        "b",
        "warmup",
        "a",
        before.map((one) => one + 0.01)
      )
    ])
    assert.approximately(after!.gain!.mean, 0.01, 1e-12)
    assert.strictEqual(after!.gain!.verdict, "no effect shown")
  })

  it("of one seed says nothing", () => {
    const one = comparedRows([measured("a", null, null, [0.5]), measured("b", "warmup", "a", [0.9])])
    assert.deepInclude(one[1]!.gain!, { interval: null, sd: null, verdict: "one seed says nothing" })
    assert.deepStrictEqual([accuracyText(one[1]!), intervalText(one[1]!.gain!)], ["90.00", "–"])
  })
})

describe("tricks together", () => {
  it("are the rows that each stand on the one before: those of table 4, and all", () => {
    assert.deepStrictEqual(
      ladderOf(rows).map(({ name }) => name),
      ["base", "warmup", "gamma", "cosine"]
    )
    const [efficient, all, ...rest] = sumsOf(rows)
    assert.deepStrictEqual([efficient!.to, all!.to, rest.length], ["gamma", "cosine", 0])
    assert.approximately(all!.gain.mean, (-0.01 + 0.03 + 0.021) / 3, 1e-12)
  })

  it("are not told apart from a single one", () => {
    assert.deepStrictEqual(sumsOf(rows.slice(0, 2)), [])
    assert.lengthOf(sumsOf(rows.slice(0, 3)), 1)
  })
})

it("says gains in points with their sign", () => {
  assert.deepStrictEqual([0.345, -0.03, 0.001, -0.001].map(signed), ["+0.34", "−0.03", "0.00", "0.00"])
  assert.strictEqual(gainText(named("warmup").gain!), "+2.00 ± 1.00")
})

describe("the paper's gains", () => {
  const paperOf = (trick: TrickName, besides: TrickName | null = null) => paperGainsOf({ trick, besides })
  const gainsOf = (...row: Parameters<typeof paperOf>) =>
    paperOf(...row).map(({ after, before }) => Number((after.top1 - before.top1).toFixed(2)))

  it("are there for every trick, in the column order of its table", () => {
    const columns = { 4: 2, 5: 1, 6: 3 }
    for (const name of trickNames) {
      for (const { table } of paperOf(name)) assert.lengthOf(paperOf(name), columns[table], name)
    }
  })

  it("hold a loss for no bias decay, and for distillation by a teacher of another family", () => {
    assert.deepStrictEqual(gainsOf("no-bias-decay"), [-0.03, -0.34])
    assert.deepStrictEqual(gainsOf("distill"), [0.36, -0.14, -0.96])
    assert.deepStrictEqual(gainsOf("resnet-d"), [0.29])
    assert.isTrue(paperOf("no-bias-decay").every(({ after }) => after.isRecalled))
  })

  it("have distillation and mixup with and without one another", () => {
    assert.deepStrictEqual(gainsOf("mixup"), [0.84, 0.37, 0.35])
    assert.deepStrictEqual(gainsOf("mixup", "distill"), [0.62, 0.08, 0.54])
    assert.deepStrictEqual(gainsOf("distill", "mixup"), [0.14, -0.43, -0.77])
    assert.deepStrictEqual(paperGainsOf({ trick: null, besides: null }), [])
  })
})
