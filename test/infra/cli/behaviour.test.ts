/**
 * What really runs: the eleven behaviours by which build and pipeline systems are compared. Two stages A → B
 * of a user's own, the real program as a process; a body that runs leaves a mark that nothing else leaves.
 */
import { readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, beforeAll, describe, inject, it } from "vitest"
import { sleep, until } from "../../support/processes.ts"
import { makeUserProject, type Run } from "../../support/userProject.ts"

const project = makeUserProject(join(inject("program"), "main.js"))

const ran = ({ code, ran, stderr }: Run, expected: string): void => {
  assert.strictEqual(code, 0, stderr)
  assert.strictEqual(ran, expected, stderr)
}
const page = (): string => readFileSync(project.pageFile, "utf8")
const edited = (path: string, from: string, to: string): void => {
  assert.include(project.read(path), from)
  project.write(path, project.read(path).replace(from, to))
}

/** The blobs of the store that hold this text. */
const blobsHolding = (text: string): ReadonlyArray<string> => {
  const blobs = join(project.folder, ".distillery/store/objects/blobs")
  return readdirSync(blobs, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => readFileSync(file, "utf8").includes(text))
}

describe("what runs when", () => {
  beforeAll(async () => {
    ran(await project.run(), "AB")
    assert.strictEqual(page(), "* lines\n* onenone\n")
  }, 60_000)

  it("T1: nothing changed, nothing runs", async () => ran(await project.run(), ""))

  it("T2: a file that is only touched runs nothing", async () => {
    utimesSync(join(project.folder, "input/in.txt"), new Date(), new Date())
    ran(await project.run(), "")
  })

  it("T3: an input that changes runs A; B is a hit, as what A made is the same", async () => {
    project.write("input/in.txt", "one\nsecond line\n")
    ran(await project.run(), "A")
  })

  it("T4: what was made and deleted is there again; nothing runs for it", async () => {
    rmSync(project.pageFile)
    ran(await project.run(), "")
    assert.strictEqual(page(), "* lines\n* onenone\n")
  })

  it("T4: a result that is gone from the store is made again, and only that", async () => {
    for (const file of blobsHolding("* lines")) rmSync(file)
    ran(await project.run(), "B")
    ran(await project.run(), "")
  })

  it("T5: an input that changes back is a hit", async () => {
    project.write("input/in.txt", "two\n")
    ran(await project.run(), "AB")
    assert.strictEqual(page(), "* lines\n* twonone\n")
    project.write("input/in.txt", "one\nsecond line\n")
    ran(await project.run(), "")
    assert.strictEqual(page(), "* lines\n* onenone\n")
  })

  it("T6: code three imports deep runs its users and nobody else, with unused code beside it", async () => {
    edited("text/mark.ts", '"* "', '"- "')
    ran(await project.run(), "B")
    assert.strictEqual(page(), "- lines\n- onenone\n")
    edited("text/mark.ts", '"- "', '"* "')
    ran(await project.run(), "")
  })

  it("T7: a variable of the environment that nobody declared is not there", async () => {
    ran(await project.run({ FOO: "xyz" }), "")
    project.write("input/in.txt", "three\n")
    ran(await project.run({ FOO: "xyz" }), "AB")
    assert.strictEqual(page(), "* lines\n* threenone\n")
  })

  it("T8: what was made and tampered with is right again", async () => {
    const right = page()
    writeFileSync(project.pageFile, "TAMPERED")
    ran(await project.run(), "")
    assert.strictEqual(page(), right)
  })

  it("T8: a result whose bytes in the store were changed, to as many others, is made again", async () => {
    const right = page()
    const wrong = right.replace("three", "THREE")
    for (const file of blobsHolding("* lines\n* three")) writeFileSync(file, wrong)
    ran(await project.run(), "B")
    assert.strictEqual(page(), right)
  })

  it.each([
    ["a comment", "stages/page.run.ts", "const blobs", "// why\n  const blobs"],
    ["the layout", "text/framed.ts", "line(title) + line(text)", "(\n line( title )\n  +line(text))"],
    ["an export that nobody uses", "text/framed.ts", "=> text\n", "=> text.trim()\n"],
    ["an unused schema beside", "text/line.ts", "{ text: Schema.String }", "{ words: Schema.String }"],
    ["an unused error beside", "text/mark.ts", '("Unmarked"', '("Unnoticed"'],
    ["an unused Effect.fn beside", "text/mark.ts", "n + 1", "n + 2"],
    ["a type", "stages/page.run.ts", "readonly text: string", "readonly text: string | ''"]
  ])("T9: an edit of %s runs nothing", async (_, path, from, to) => {
    edited(path, from, to)
    ran(await project.run(), "")
  })

  it("T10: killed in the middle, with no warning: the next run makes it, without unlocking", async () => {
    project.write("input/in.txt", "four\n")
    writeFileSync(project.slowFile, "")
    const killed = project.start(["run", "./pipeline.ts"])
    let told = ""
    killed.stderr.on("data", (chunk) => {
      told += chunk
    })
    await until(() => /line: started/.test(told))
    await sleep(300)
    killed.kill("SIGKILL")
    await new Promise((resolve) => killed.on("close", resolve))
    rmSync(project.slowFile)
    const began = performance.now()
    ran(await project.run(), "AB")
    assert.isBelow(performance.now() - began, 15_000)
    assert.strictEqual(page(), "* lines\n* fournone\n")
  }, 60_000)

  it("T11: two at once make everything once, and both end well", async () => {
    project.write("input/in.txt", "five\n")
    writeFileSync(project.slowFile, "")
    const both = Promise.all([project.run(), project.run()])
    await sleep(1_500)
    rmSync(project.slowFile)
    const [first, second] = await both
    assert.deepStrictEqual([first.code, second.code], [0, 0], first.stderr + second.stderr)
    assert.strictEqual(project.ran(), "AB")
    assert.strictEqual(page(), "* lines\n* fivenone\n")
  }, 60_000)
})
