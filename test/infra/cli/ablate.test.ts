/** `distillery ablate` as people meet it: what it refuses, what it plans, and the table at the end. */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, beforeAll, describe, it } from "vitest"
import { distillery, packageRoot, pipelineFile, project } from "./builtProgram.ts"

beforeAll(() => {
  pipelineFile(
    "apart",
    `const student = model(1)
export const pipeline = Pipeline.make("apart", "a toy", { scenes, prepared, student })`
  )
  writeFileSync(
    join(project, "untrained.ts"),
    `import * as Pipeline from "${packageRoot}/lib/workflow/Pipeline.ts"
export { Pipeline }
export const pipeline = Pipeline.make("untrained", "a toy", {})`
  )
})

describe("what cannot be ablated exits with 2 and says why", () => {
  it.each<[ReadonlyArray<string>, RegExp]>([
    [
      ["apart.ts", "--tricks", "wramup"],
      /^error: --tricks: there is no trick "wramup": did you mean "warmup"\?\n/
    ],
    [["apart.ts", "--seeds", "0"], /^error: .*--seeds: "0"\. Expected: a value between 1 and 100\n/],
    [["apart.ts", "--tricks", "distill"], /^error: .*distill: there is no teacher: .*--teacher JOB/],
    [
      ["apart.ts", "--tricks", "warmup", "--only", "x"],
      /^error: --only: pipeline "apart-ablation" has no job "x"/
    ],
    [["untrained.ts"], /^error: .*no training to take apart/],
    [
      ["fashion-mnist-ablation"],
      /^error: "fashion-mnist-ablation" .*\n.*npx distillery ablate fashion-mnist --plan/
    ],
    [["apart-ablation"], /^error: "apart-ablation" .*\n.*npx distillery ablate PIPELINE --plan/]
  ])("%s", async (args, message) => {
    const { code, stderr, stdout } = await distillery(["ablate", ...args])
    assert.deepStrictEqual([code, stdout], [2, ""])
    assert.match(stderr, message)
  })
})

describe("ablate", () => {
  const flags = ["apart.ts", "--tricks", "zero-gamma", "--seeds", "2"]

  it("plans without running, and says which tricks the pipeline cannot show", async () => {
    const { code, stderr } = await distillery(["ablate", "apart.ts", "--with", "bf16", "--plan"])
    assert.strictEqual(code, 2, "the portable backend has no bfloat16")
    assert.match(stderr, /^left out: resnet-b, resnet-c, resnet-d: the student is a resnet-cifar/m)
    assert.match(stderr, /^left out: distill: there is no teacher/m)
    assert.match(stderr, /^error: Job "row-00-baseline-seed-1" asks for bfloat16/m)
    assert.match(stderr, /^ {2}Or leave bf16 out: name the other tricks with --tricks$/m)
    const planned = await distillery(["ablate", ...flags, "--plan"])
    assert.strictEqual(planned.code, 0, planned.stderr)
    assert.match(planned.stdout, /^row-01-zero-gamma-seed-2 +pretrain +waits +waits for prepared$/m)
    assert.match(planned.stdout, /^ablation +ablation-report +waits +waits for (\S+, ){3}\S+ and 3 more$/m)
    assert.match(planned.stdout, /^11 of 11 jobs to do/m)
  })

  it("runs, shows the table, and finds all of it when asked again", async () => {
    const first = await distillery(["ablate", ...flags])
    assert.strictEqual(first.code, 0, first.stderr)
    assert.match(first.stderr, /^11 jobs in .*: 11 ran$/m)
    assert.match(first.stdout, /^baseline +\d+\.\d\d ± \d+\.\d\d +[\d.:]+( s)?$/m)
    const [score, gain, interval] = ["[\\d.]+ ± [\\d.]+", "[−+\\d.]+ ± [\\d.]+", "[−+\\d.]+ … [−+\\d.]+"]
    const rest = `${gain} +${interval} +(gain|loss|no effect shown) +\\+0.16°, \\+0.44°`
    const row = new RegExp(`^\\+ zero γ +${score} +${rest}`, "m")
    assert.match(first.stdout, row)
    assert.match(first.stdout, /^Work: .* in all, .* of it now; .*: sharing saves /m)
    assert.match(first.stdout, /^Report: \.distillery\/reports\/apart-ablation\/report\.html$/m)
    const page = readFileSync(join(project, ".distillery/reports/apart-ablation/report.html"), "utf8")
    assert.include(page, "training.zeroGamma: – → true")

    const again = await distillery(["ablate", ...flags, "--json"])
    assert.strictEqual(again.code, 0, again.stderr)
    const document = JSON.parse(again.stdout)
    assert.sameMembers(
      document.jobs.map(({ state }: { state: string }) => state),
      Array(11).fill("hit")
    )
    const [baseline, zeroGamma] = document.ablation.rows
    assert.lengthOf(zeroGamma.top1, 2)
    assert.approximately(zeroGamma.gain.mean, zeroGamma.mean - baseline.mean, 1e-12)
    assert.isAbove(document.work.aloneSeconds, document.work.togetherSeconds)
    assert.strictEqual(document.work.nowSeconds, 0)
  }, 120_000)

  it("has results that show and lineage find by name", async () => {
    const name = "apart-ablation/row-01-zero-gamma-seed-2"
    const [shown, made] = await Promise.all([distillery(["show", name]), distillery(["lineage", name])])
    assert.match(shown.stdout, /^params +.*\n(.*\n)* +training\.zeroGamma = true$/m)
    assert.match(made.stdout, /prepared/)
  })
})
