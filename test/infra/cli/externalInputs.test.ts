/** Images of the user's own in a folder beside the pipeline; the tests build on each other's results. */
import { mkdirSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { assert, beforeAll, describe, it } from "vitest"
import { encodeNetpbm } from "../../../lib/data/formats/netpbm.ts"
import { distillery, packageRoot, project, start } from "./builtProgram.ts"

const write = (path: string, content: string | Uint8Array): void => {
  mkdirSync(dirname(join(project, path)), { recursive: true })
  writeFileSync(join(project, path), content)
}

const image = (value: number) =>
  encodeNetpbm({ pixels: new Uint8Array(12).fill(value), height: 2, width: 2, channels: 3 })

/** `folder` is a relative path, so it counts from where the program is called. */
const writePipeline = (folder: string): void =>
  write(
    "pets.ts",
    `import * as Pipeline from "${packageRoot}/lib/workflow/Pipeline.ts"
import { Ingest } from "${packageRoot}/stages/ingest.ts"
import { Preprocess } from "${packageRoot}/stages/preprocess.ts"
const source = { _tag: "ImageFolder", path: ${JSON.stringify(folder)}, testFraction: 0.5 }
const pets = Ingest({ params: { source }, inputs: {} })
const prepared = Preprocess({
  params: { height: 2, width: 2, channels: 3, validation: 0 }, inputs: { dataset: pets }
})
export const pipeline = Pipeline.make("pets", "of one's own", { pets, prepared })`
  )

/** The states of the jobs after a run: "hit hit". */
const run = async (): Promise<string> => {
  const { code, stderr, stdout } = await distillery(["run", "pets.ts", "--json"])
  assert.strictEqual(code, 0, stderr)
  return JSON.parse(stdout)
    .jobs.map((job: { readonly state: string }) => job.state)
    .join(" ")
}

/** Why `pets` would run; its state where it would not. */
const reason = async (): Promise<string> => {
  const { code, stderr, stdout } = await distillery(["plan", "pets.ts", "--json"])
  assert.strictEqual(code, 0, stderr)
  const [pets] = JSON.parse(stdout).jobs
  return pets.state === "hit" ? "hit" : pets.reason
}

beforeAll(() => {
  for (const [at, name] of ["cat/1", "cat/2", "dog/1", "dog/2"].entries())
    write(`images/${name}.ppm`, image(at))
  writePipeline("images")
})

describe("a folder of images", () => {
  it("is a hit while its content is the same: untouched, touched, edited and reverted", async () => {
    assert.strictEqual(await run(), "ran ran")
    assert.strictEqual(await run(), "hit hit")
    utimesSync(join(project, "images/cat/1.ppm"), new Date(), new Date(2000, 1, 1))
    assert.strictEqual(await run(), "hit hit")
    write("images/cat/1.ppm", image(9))
    assert.strictEqual(await reason(), "folder images changed (cat/1.ppm edited)")
    assert.strictEqual(await run(), "ran ran")
    write("images/cat/1.ppm", image(0))
    assert.strictEqual(await run(), "hit hit")
  })

  it("is a hit wherever it lies", async () => {
    renameSync(join(project, "images"), join(project, "photos"))
    writePipeline("./photos")
    assert.strictEqual(await run(), "hit hit")
    renameSync(join(project, "photos"), join(project, "images"))
    writePipeline(join(project, "images"))
    assert.strictEqual(await run(), "hit hit")
    writePipeline("images")
  })

  it("makes run what follows only where the result differs", async () => {
    write("images/cat/notes.txt", "no image")
    assert.strictEqual(await reason(), "folder images changed (cat/notes.txt added)")
    assert.strictEqual(await run(), "ran hit")
    rmSync(join(project, "images/cat/notes.txt"))
    assert.strictEqual(await run(), "hit hit")
  })

  it("says which files were edited, added and removed, and how many more", async () => {
    write("images/cat/1.ppm", image(5))
    write("images/cat/3.ppm", image(3))
    renameSync(join(project, "images/dog/2.ppm"), join(project, "images/dog/3.ppm"))
    const said = "cat/1.ppm edited, cat/3.ppm added, dog/3.ppm added and 1 more"
    assert.strictEqual(await reason(), `folder images changed (${said})`)
    renameSync(join(project, "images/dog/3.ppm"), join(project, "images/dog/2.ppm"))
    rmSync(join(project, "images/cat/3.ppm"))
    write("images/cat/1.ppm", image(0))
    assert.strictEqual(await run(), "hit hit")
  })
})

describe("a folder that cannot be read", () => {
  const refused = async (): Promise<string> => {
    const { code, stderr } = await distillery(["plan", "pets.ts"])
    assert.strictEqual(code, 2, stderr)
    return stderr
  }

  it("or a file in it ends the plan, named", async () => {
    symlinkSync("nowhere", join(project, "images/cat/4.ppm"))
    assert.match(await refused(), /Job "pets" reads ".*cat\/4\.ppm" \(its images\).*it does not exist/)
    rmSync(join(project, "images/cat/4.ppm"))
    writePipeline("absent")
    assert.match(await refused(), /Job "pets" reads ".*absent" \(its images\).*it does not exist/)
    writePipeline("images")
    assert.strictEqual(await reason(), "hit")
  })

  it("after it was planned fails its job, and nothing is kept", async () => {
    write("images/cat/1.ppm", image(7))
    const child = start(["run", "pets.ts"])
    let said = ""
    let gone = false
    child.stderr.on("data", (chunk) => {
      said += chunk
      if (gone || !said.includes("pets: started")) return
      gone = true
      renameSync(join(project, "images"), join(project, "away"))
    })
    const code = await new Promise((resolve) => child.on("close", resolve))
    renameSync(join(project, "away"), join(project, "images"))
    assert.strictEqual(code, 1, said)
    assert.include(said, "images")
    assert.include(said, "does not exist")
    assert.strictEqual(await reason(), "folder images changed (cat/1.ppm edited)")
  })
})
