/** Looking at what runs made: show, diff, lineage; and dag. All on one store, which two runs fill. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, beforeAll, describe, it } from "vitest"
import { digestOf } from "../../../infra/hashing.ts"
import { encodeNetpbm } from "../../../lib/data/formats/netpbm.ts"
import { distillery, project } from "./builtProgram.ts"

const refused = async (args: ReadonlyArray<string>, message: RegExp) => {
  const { code, stderr, stdout } = await distillery(args)
  assert.match(stderr, message)
  assert.deepStrictEqual([code, stdout], [2, ""])
}

const jsonOf = async (...args: ReadonlyArray<string>) => {
  const { code, stderr, stdout } = await distillery([...args, "--json"])
  assert.strictEqual(code, 0, stderr)
  const document = JSON.parse(stdout)
  assert.strictEqual(document.schemaVersion, 1)
  return document
}

describe("an empty store", () => {
  it("is told, with how to fill it", async () => {
    for (const command of ["show", "lineage"])
      await refused([command, "toy/teacher"], /^error: the store holds no results yet\n {2}Make some: /)
    await refused(["show", "latest"], /^error: no run is known here yet\n/)
    await refused(["diff", "latest~1"], /^error: no run is known here yet\n/)
  })

  it("can be drawn all the same", async () => {
    const { code, stdout } = await distillery(["dag", "./toy.ts"])
    assert.strictEqual(code, 0)
    assert.include(stdout, "○ scenes  ingest  never ran\n└─○ prepared  preprocess\n  └─○ teacher  pretrain\n")
    assert.include(stdout, "    └─○ teacher-evaluation  evaluate  ← prepared\n")
    assert.match(stdout, /toy: 4 jobs, ● 0 hits, ○ 4 to do\n$/)
  })
})

describe("after two runs", () => {
  beforeAll(async () => {
    assert.strictEqual((await distillery(["run", "./toy.ts", "--quiet"])).code, 0)
    const other = await distillery(["run", "./toy.ts", "--quiet", "--set", "teacher.training.seed=4"])
    assert.strictEqual(other.code, 0)
  }, 60_000)

  it("show: a result by its name, by the beginning of its key, its content or a blob of it", async () => {
    const { stdout } = await distillery(["show", "toy/teacher"])
    assert.match(stdout, /^toy\/teacher: classifier, made by stage pretrain\n\nkey +sha256:[0-9a-f]{64}\n/)
    assert.match(stdout, /^made +\d{4}-.* \(run [\d-]+\w+\), took /m)
    assert.match(stdout, /^ +training.seed = 4$/m)
    assert.match(stdout, /^inputs +dataset: toy\/prepared \([0-9a-f]{12}\)$/m)
    assert.match(stdout, /^code +\d+ declarations, \d+ packages$/m)
    assert.match(stdout, /^blobs +1, .*B\n +sha256:[0-9a-f]{64} {2}/m)
    const shown = await jsonOf("show", "teacher")
    for (const digest of [shown.key, shown.output.digest, shown.blobs[0].blob]) {
      const short = digest.slice("sha256:".length, "sha256:".length + 16)
      assert.strictEqual((await jsonOf("show", short)).key, shown.key)
      assert.strictEqual((await jsonOf("show", digest)).key, shown.key)
    }
  }, 30_000)

  it("show: a run, with its scores", async () => {
    const { stdout } = await distillery(["show", "latest"])
    assert.match(stdout, /^run .* of toy: ok, 4 jobs in .*: 2 ran, 2 hits\n\njob .*\nscenes +ingest +hit/)
    assert.match(stdout, /^teacher +pretrain +ran +\d.* s +[0-9a-f]{12}$/m)
    assert.match(stdout, /^model +top-1 .*\nteacher +\d+\.\d\d %/m)
    const { kind, metrics } = await jsonOf("show", "latest~1")
    assert.deepStrictEqual([kind, Object.keys(metrics)], ["run", ["teacher"]])
  })

  it("show: mistakes", async () => {
    await refused(
      ["show", "toy/techer"],
      /^error: there is no result "toy\/techer": did you mean "toy\/teacher"\?/
    )
    await refused(
      ["show", "techer"],
      /^error: there is no result "techer": did you mean "teacher"\?\n {2}There are toy/
    )
    await refused(["show", "ffffffffffff"], /^error: there is no result "ffffffffffff"/)
    await refused(["show", "19990101"], /^error: there is no run "19990101"/)
  })

  it("diff: jobs and why, scores side by side", async () => {
    const { stdout } = await distillery(["diff", "latest~1"])
    assert.match(
      stdout,
      /^run .* of toy: ok, .*\nrun .* of toy: ok, .*\n\njob +before +after +what changed\n/
    )
    assert.match(stdout, /^teacher +[\d.]+ s +[\d.]+ s +training.seed 0 → 4$/m)
    assert.match(stdout, /^teacher-evaluation .* input model changed/m)
    assert.match(stdout, /^2 jobs are the same$/m)
    assert.match(stdout, /^teacher +loss +\d\.\d{4} +\d\.\d{4} +[+-]\d\.\d{4}$/m)
    const document = await jsonOf("diff", "latest~1", "latest")
    assert.deepStrictEqual(
      document.jobs.map((job: { kind: string }) => job.kind),
      ["same", "same", "changed", "changed"]
    )
    assert.strictEqual(document.jobs[2].changes[0].path, "training.seed")
    assert.match((await distillery(["diff", "latest"])).stdout, /^All jobs are the same\.$/m)
  })

  it("lineage: up to the sources, each result once", async () => {
    const { stdout } = await distillery(["lineage", "toy/teacher-evaluation"])
    const lines = stdout.split("\n")
    assert.match(
      lines[0]!,
      /^toy\/teacher-evaluation {2}evaluate {2}[0-9a-f]{12} {2}\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/
    )
    assert.match(stdout, /^├─ model: toy\/teacher {2}pretrain/m)
    assert.match(stdout, /^│ {2}└─ dataset: toy\/prepared {2}preprocess/m)
    assert.match(stdout, /^│ {8}from source\._tag="Scenes"/m)
    assert.match(stdout, /^└─ dataset: toy\/prepared \(above\)$/m)
    const { results, root } = await jsonOf("lineage", "toy/teacher-evaluation")
    assert.strictEqual(results[0].key, root)
    assert.deepStrictEqual(
      results.map((one: { job: string }) => one.job),
      ["teacher-evaluation", "teacher", "prepared", "scenes"]
    )
    const mermaid = await distillery(["lineage", "teacher", "--format", "mermaid"])
    assert.match(mermaid.stdout, /^flowchart LR\n {2}r[0-9a-f]{12}\["toy\/teacher<br>pretrain<br>/)
  })

  it("dag: what is a hit and what is to do, as a tree, a diagram and a picture", async () => {
    const changed = ["--set", "teacher.training.epochs=2"]
    const tree = await distillery(["dag", "./toy.ts", ...changed])
    assert.include(tree.stdout, "  └─○ teacher  pretrain  training.epochs 1 → 2\n")
    assert.match(tree.stdout, /^● scenes {2}ingest$/m)
    const mermaid = await distillery(["dag", "./toy.ts", "--format", "mermaid", ...changed])
    assert.include(mermaid.stdout, '  job-scenes["<b>scenes</b><br>ingest"]:::hit\n')
    assert.include(mermaid.stdout, "  job-prepared --> job-teacher-evaluation\n")
    const svg = await distillery(["dag", "./toy.ts", "--format", "svg", "--output", "toy.svg", ...changed])
    assert.deepStrictEqual([svg.code, svg.stdout, svg.stderr], [0, "", "written to toy.svg\n"])
    const text = readFileSync(join(project, "toy.svg"), "utf8")
    assert.match(text, /^<svg xmlns="http:\/\/www.w3.org\/2000\/svg" width="\d+" height="\d+"/)
    assert.strictEqual(text.match(/<path class="arrow"/g)?.length, 4)
    assert.strictEqual(text.match(/<g class="hit"><title>/g)?.length, 2)
    assert.notMatch(text, /NaN|undefined/)
    assert.strictEqual((await jsonOf("dag", "./toy.ts")).jobs.length, 4)
    await refused(
      ["dag", "./toy.ts", "--output", "nowhere/toy.svg"],
      /^error: nowhere\/toy\.svg cannot be written/
    )
    await refused(["dag", "./toy.ts", "--format", "png"], /^error: /)
  }, 30_000)

  it("export: read back, described, and never written over anything by accident", async () => {
    const exported = ["export", "toy/teacher", "--output", "given/away"]
    const { code, stderr, stdout } = await distillery([...exported, "--format", "tfjs,onnx"])
    assert.strictEqual(code, 0, stderr)
    assert.match(stdout, /^toy\/teacher is exported to given\/away\nformat +size +difference +read back by\n/)
    assert.match(stdout, /^tfjs +[\d.]+ kB +\d\.\de-\d+ +TensorFlow\.js 4/m)
    assert.match(stdout, /^onnx +[\d.]+ kB +not compared: the package onnxruntime-node is not installed$/m)
    const folder = join(project, "given", "away")
    const names = ["card.json", "comparison.json", "model.onnx", "tfjs"]
    assert.deepStrictEqual(readdirSync(folder).sort(), names)
    assert.deepStrictEqual(readdirSync(join(project, "given")), ["away"])
    const card = JSON.parse(readFileSync(join(folder, "card.json"), "utf8"))
    assert.deepStrictEqual(card.input.shape, [null, 16, 16, 3])
    for (const { digest, path, sizeBytes } of card.files) {
      const bytes = readFileSync(join(folder, path))
      assert.deepStrictEqual([bytes.length, digestOf(bytes)], [sizeBytes, digest])
    }

    await refused(exported, /^error: an export lies in .*away already\n {2}Replace it by --force, or/)
    assert.deepStrictEqual(readdirSync(folder).sort(), names)
    const again = await jsonOf(...exported, "--format=safetensors", "--force")
    assert.strictEqual(again.comparison.formats[0].relativeDifference, 0)
    assert.deepStrictEqual(readdirSync(folder).sort(), ["card.json", "comparison.json", "model.safetensors"])
    mkdirSync(join(project, "mine"))
    writeFileSync(join(project, "mine", "thesis.txt"), "years of work")
    await refused(
      ["export", "toy/teacher", "--output", "mine", "--force"],
      /^error: .*mine holds files that are no export of ours\n/
    )
    assert.deepStrictEqual(readdirSync(join(project, "mine")), ["thesis.txt"])
  }, 60_000)

  it("predict takes an export for the model that it was made of, if it is whole", async () => {
    const image = encodeNetpbm({ pixels: new Uint8Array(600).fill(90), height: 10, width: 20, channels: 3 })
    writeFileSync(join(project, "photo.ppm"), image)
    await jsonOf("export", "toy/teacher", "--output", "kept", "--format=safetensors")
    const ours = await jsonOf("predict", "toy/teacher", "photo.ppm")
    assert.lengthOf(ours.images[0].predictions, 5)
    assert.deepStrictEqual(await jsonOf("predict", "./kept", "photo.ppm"), ours)

    const weights = join(project, "kept", "model.safetensors")
    const bytes = readFileSync(weights)
    bytes[bytes.length - 1]! ^= 1
    writeFileSync(weights, bytes)
    const damaged = await distillery(["predict", "kept", "photo.ppm"])
    assert.deepStrictEqual([damaged.code, damaged.stdout], [4, ""])
    assert.match(
      damaged.stderr,
      /^error: "model\.safetensors" from kept\/model\.safetensors has the wrong content/
    )
    rmSync(weights)
    await refused(["predict", "kept", "photo.ppm"], /^error: kept\/model\.safetensors cannot be read/)
    writeFileSync(join(project, "kept", "card.json"), "{}")
    await refused(["predict", "kept", "photo.ppm"], /^error: kept\/card\.json is no card of an export/)
  }, 60_000)

  it("export: mistakes", async () => {
    await refused(["export", "toy/teacher", "--format", "onx"], /no format "onx"\n {2}did you mean "onnx"\?/)
    await refused(["export", "toy/techer"], /^error: there is no model "toy\/techer": did you mean/)
    await refused(["export", "toy/teacher", "--output", "toy.ts"], /toy\.ts is a file\n/)
  }, 30_000)

  it("nothing is coloured in a pipe, and a closed one is no error", async () => {
    for (const args of [
      ["show", "toy/teacher"],
      ["lineage", "teacher"],
      ["diff", "latest~1"],
      ["dag", "./toy.ts"]
    ]) {
      const piped = await distillery(args, { closeStdout: true })
      assert.deepStrictEqual([piped.code, piped.stderr], [0, ""], args[0]!)
      const coloured = await distillery(args, { environment: { FORCE_COLOR: "1" } })
      assert.include(coloured.stdout, "\u001b[1m")
      const plain = await distillery(args, { environment: { FORCE_COLOR: "1", NO_COLOR: "1" } })
      assert.notInclude(plain.stdout, "\u001b")
    }
  }, 30_000)
})
