/** Code of the user's own changes: explained with file and line, adopted, shown as such; a clean start. */
import { join } from "node:path"
import { assert, beforeAll, describe, inject, it } from "vitest"
import { makeUserProject } from "../../support/userProject.ts"

const { program, read, run, write } = makeUserProject(join(inject("program"), "main.js"))

const adopt = (...args: ReadonlyArray<string>) => program(["adopt", "./pipeline.ts", ...args])
const edit = (path: string, from: string, to: string): void => {
  assert.include(read(path), from)
  write(path, read(path).replace(from, to))
}

beforeAll(async () => {
  edit("stages/page.run.ts", "  const blobs =", '  console.log("printed by page")\n  const blobs =')
  const first = await run()
  assert.strictEqual(first.ran, "AB", first.stderr)
}, 60_000)

describe("a change of code", () => {
  it("is explained with file and line, and with what would make a hit", async () => {
    edit("text/mark.ts", '"* " + text', '"*" + " " + text')
    const { stdout } = await program(["explain", "./pipeline.ts"])
    assert.match(stdout, /^line +hit +since /m)
    assert.match(
      stdout,
      /^page +miss +1 change since run .*\n {4}code of text\/mark\.ts#mark changed \(text\/mark\.ts:2\)$/m
    )
    assert.match(stdout, /^ {4}would hit with text\/mark\.ts#mark as it was$/m)
  })

  it("is adopted by a person, with a reason, and nothing runs", async () => {
    const nothing = await adopt("page")
    assert.strictEqual(nothing.code, 2)
    assert.match(nothing.stderr, /^error: .*reason/)
    const empty = await adopt("page", "--reason", " ")
    assert.deepStrictEqual([empty.code, empty.stderr.split("\n")[0]], [2, "error: --reason is empty"])
    const { code, stderr, stdout } = await adopt("page", "--reason", "the same text")
    assert.strictEqual(code, 0, stderr)
    assert.match(
      stdout,
      /^page adopts its result [0-9a-f]{12} as [0-9a-f]{12}, though\n {2}code of text\/mark\.ts#mark changed/
    )
    assert.strictEqual((await run()).ran, "")
    const again = await adopt("page", "--reason", "the same text")
    assert.strictEqual(again.code, 2)
    assert.match(again.stderr, /^error: Job "page" cannot adopt an earlier result: it is a hit already\n/)
  }, 30_000)

  it("stays with the result", async () => {
    const shown = await program(["show", "lines/page"])
    assert.match(
      shown.stdout,
      /^adopted +by .+ at \d{4}-.*: the same text\n +from [0-9a-f]{12}, though code of text\/mark/m
    )
    const lineage = await program(["lineage", "page"])
    assert.match(lineage.stdout, /^lines\/page {2}page .* adopted by .+: the same text$/m)
    const { results } = JSON.parse((await program(["lineage", "page", "--json"])).stdout)
    assert.deepInclude(results[0].adopted, { reason: "the same text" })
    assert.strictEqual((await program(["verify"])).code, 0)
  }, 30_000)

  it("beside a change of params is not adopted", async () => {
    edit("text/mark.ts", '"*" + " "', '"-" + " "')
    const refused = await adopt("page", "--reason", "x", "--set", "page.title=other")
    assert.strictEqual(refused.code, 2)
    assert.match(refused.stderr, /more than code differs \(title "lines" → "other"\), so run it\n/)
    const unknown = await adopt("pgae", "--reason", "x")
    assert.match(unknown.stderr, /^error: JOB: pipeline "lines" has no job "pgae": did you mean "page"\?/)
  })
})

describe("run --no-cache", () => {
  it("runs what is selected though it is there, looks up the rest, and publishes", async () => {
    assert.strictEqual((await run()).ran, "B")
    const one = await program(["run", "./pipeline.ts", "--only", "page", "--no-cache"])
    assert.strictEqual(one.ran, "B", one.stderr)
    const all = await program(["run", "./pipeline.ts", "--no-cache"])
    assert.strictEqual(all.ran, "AB", all.stderr)
    assert.strictEqual((await run()).ran, "")
  }, 30_000)
})

describe("the log of a run", () => {
  it("has what stages print", async () => {
    await program(["run", "./pipeline.ts", "--force=page"])
    const { stdout } = await program(["log", "--job", "page"])
    assert.match(stdout, /^✓ page +ran in .*\n {4}\d\d:\d\d:\d\d {2}\| printed by page$/m)
  }, 30_000)
})
