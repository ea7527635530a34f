/** Plan, run, predict and stop, on pipelines of our own; the tests build on each other's results. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { distillery, project } from "./builtProgram.ts"

describe("a pipeline by its path", () => {
  it("plan --check exits with 3 while work is pending, as a table or as a document", async () => {
    const table = await distillery(["plan", "./broken.ts", "--check"])
    assert.strictEqual(table.code, 3)
    assert.match(table.stdout, /^scenes +ingest +will run +never ran$/m)
    const { code, stdout } = await distillery(["plan", "./broken.ts", "--json"])
    assert.strictEqual(code, 0)
    assert.strictEqual(JSON.parse(stdout).pending, 2)
  })

  it("run --json prints one document on stdout, progress on stderr", async () => {
    const first = await distillery(["run", "toy.ts", "--json"])
    assert.strictEqual(first.code, 0, first.stderr)
    const document = JSON.parse(first.stdout)
    assert.deepStrictEqual(Object.keys(document), [
      "schemaVersion",
      "status",
      "runId",
      "pipeline",
      "seconds",
      "jobs",
      "metrics",
      "store"
    ])
    assert.deepStrictEqual([document.schemaVersion, document.status], [1, "ok"])
    assert.deepStrictEqual(
      document.jobs.map((job: { name: string; stage: string; state: string }) => [
        job.name,
        job.stage,
        job.state
      ]),
      [
        ["scenes", "ingest", "ran"],
        ["prepared", "preprocess", "ran"],
        ["teacher", "pretrain", "ran"],
        ["teacher-evaluation", "evaluate", "ran"]
      ]
    )
    for (const job of document.jobs) {
      assert.match(job.key, /^sha256:[0-9a-f]{64}$/)
      assert.isAbove(job.seconds, 0)
    }
    assert.deepStrictEqual(Object.keys(document.metrics), ["teacher"])
    for (const name of ["top1", "loss", "macs", "params"])
      assert.isNumber(document.metrics.teacher[name], name)
    assert.match(first.stderr, /^teacher: started \(pretrain\)$/m)
    assert.match(first.stderr, /^✓ teacher +ran in/m)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: there must be none
    assert.notMatch(first.stderr, /\u001b/)
  }, 60_000)

  it("the second run has hits only", async () => {
    const second = await distillery(["run", "toy.ts", "--quiet"])
    assert.deepStrictEqual([second.code, second.stderr], [0, ""])
    assert.match(second.stdout, /^teacher +\d+\.\d\d %/m)
    assert.strictEqual((await distillery(["plan", "toy.ts", "--check"])).code, 0)
  }, 30_000)
})

describe("predicting", () => {
  it("predict serves what it can read and names what it cannot", async () => {
    writeFileSync(
      join(project, "grey.pgm"),
      Buffer.concat([Buffer.from("P5 20 10 255\n"), Buffer.alloc(200, 128)])
    )
    writeFileSync(join(project, "text.png"), "not an image")
    const predicted = await distillery(["predict", "teacher", "text.png", "grey.pgm", "absent.png", "--json"])
    assert.strictEqual(predicted.code, 1)
    assert.match(
      predicted.stderr,
      /^error: Image "text.png" .*\nerror: Image "absent.png" .*there is no such file/
    )
    const { images, model } = JSON.parse(predicted.stdout)
    assert.deepStrictEqual([model.pipeline, model.job, model.kind], ["toy", "teacher", "classifier"])
    assert.deepStrictEqual(
      images.map((image: { file: string; error?: string }) => [image.file, image.error === undefined]),
      [
        ["text.png", false],
        ["grey.pgm", true],
        ["absent.png", false]
      ]
    )
    const probabilities = images[1].predictions.map((one: { probability: number }) => one.probability)
    assert.strictEqual(probabilities.length, 5)
    assert.deepStrictEqual(
      probabilities,
      [...probabilities].sort((a, b) => b - a)
    )

    const refused = await distillery(["predict", "teacher", "grey.pgm", "--threshold", "0.3"])
    assert.strictEqual(refused.code, 2)
    assert.match(refused.stderr, /^error: --threshold is for detectors, and "teacher" is a classifier\n/)
    const wrong = await distillery(["predict", "toy/scenes", "grey.pgm"])
    assert.strictEqual(wrong.code, 2)
    assert.match(wrong.stderr, /is no model.*\n {2}Models are toy\/teacher\n/)
  }, 30_000)
})

describe("a run", () => {
  it("a job that fails: what, its params, how to run it alone", async () => {
    const { code, stderr, stdout } = await distillery(["run", "./broken.ts", "--json"])
    assert.strictEqual(code, 1)
    assert.match(stderr, /^error: job missing \(stage ingest\) failed$/m)
    assert.include(stderr, '"path":"/nowhere"')
    assert.include(stderr, "npx distillery run ./broken.ts --only missing")
    const { jobs, status } = JSON.parse(stdout)
    assert.strictEqual(status, "failed")
    assert.strictEqual(jobs[1].state, "failed")
    assert.isString(jobs[1].error.message)
    assert.include(["ran", "hit"], jobs[0].state)
  }, 30_000)

  it("runs in this process, too", async () => {
    const { code, stderr } = await distillery(["run", "./toy.ts", "--in-process", "--only=scenes", "--force"])
    assert.strictEqual(code, 0, stderr)
    assert.match(stderr, /^✓ scenes +ran in/m)
  }, 30_000)
})

describe("being stopped", () => {
  it("the first signal stops at the next step with the state kept", async () => {
    const interruptAt = { text: "teacher: epoch", signals: ["SIGTERM"] as const }
    const { code, stderr, stdout } = await distillery(["run", "./long.ts", "--json"], { interruptAt })
    assert.strictEqual(code, 143, stderr)
    assert.include(stderr, "stopping at the next step")
    assert.match(stderr, /^■ teacher +stopped after .*its state is kept$/m)
    assert.strictEqual(JSON.parse(stdout).status, "stopped")
  }, 60_000)

  it("the second kills at once", async () => {
    const interruptAt = { text: "teacher: started", signals: ["SIGINT", "SIGINT"] as const }
    const { code, stdout } = await distillery(["run", "./long.ts", "--json"], { interruptAt })
    assert.deepStrictEqual([code, stdout], [130, ""])
  }, 60_000)
})
