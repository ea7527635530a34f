/** `distillery init` as a process: what it writes, what it leaves alone, what it refuses. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, beforeAll, describe, it } from "vitest"
import packageJson from "../../../package.json" with { type: "json" }
import { distillery, packageRoot, project } from "./builtProgram.ts"

const at = (...path: ReadonlyArray<string>): string => join(project, ...path)
const read = (...path: ReadonlyArray<string>): string => readFileSync(at(...path), "utf8")
const json = (...path: ReadonlyArray<string>) => JSON.parse(read(...path))

const files = [
  ".gitignore",
  ".npmrc",
  "README.md",
  "my-pipeline.ts",
  "package.json",
  "stages/class-balance.run.ts",
  "stages/class-balance.ts",
  "test/class-balance.test.ts",
  "tsconfig.json"
]

/** Two grey pixels. */
const image = Buffer.from("P5\n2 1\n255\n\x00\x7f", "latin1")

const makeImages = (folder: string, counts: { readonly [className: string]: number }): void => {
  for (const [className, count] of Object.entries(counts)) {
    mkdirSync(at(folder, className), { recursive: true })
    for (let index = 0; index < count; index++) writeFileSync(at(folder, className, `${index}.pgm`), image)
  }
}

beforeAll(() => makeImages("photos", { rose: 30, tulip: 40, "lily of the valley": 3 }))

describe("a new project", () => {
  it("is for the images that are named: their classes, params that fit how many there are", async () => {
    const made = await distillery(["init", "My Flowers", "--images", "photos", "--json"])
    assert.strictEqual(made.code, 0, made.stderr)
    const { images, written } = JSON.parse(made.stdout)
    assert.sameMembers(written, files)
    assert.deepStrictEqual(images, {
      path: "../photos",
      classes: [
        { name: "lily of the valley", numImages: 3 },
        { name: "rose", numImages: 30 },
        { name: "tulip", numImages: 40 }
      ],
      side: 1
    })
    const pipeline = read("My Flowers", "my-pipeline.ts")
    assert.match(pipeline, /path: `\$\{import\.meta\.dirname\}\/\.\.\/photos`,\s+testFraction: 0\.2/)
    assert.match(pipeline, /height: 32, width: 32, channels: 3, validation: 0 \}[\s\S]*batchSize: 8,/)
    assert.match(pipeline, /Pipeline\.make\("my-flowers", "Images of lily of the valley, rose, tulip"/)
  })

  it("depends on this very package and its Effect", () => {
    const { allowScripts, dependencies, name, type } = json("My Flowers", "package.json")
    assert.deepStrictEqual([name, type], ["my-flowers", "module"])
    assert.strictEqual(dependencies.effect, packageJson.dependencies.effect)
    assert.strictEqual(join(at("My Flowers"), dependencies.distillery.replace("file:", "")), packageRoot)
    assert.strictEqual(read("My Flowers", ".npmrc"), "install-links=true\n")
    assert.deepStrictEqual(Object.keys(allowScripts), ["core-js", "esbuild", "koffi", "node"])
  })

  it("says what it found, what is scarce, and what comes next", async () => {
    const { stdout } = await distillery(["init", "it's", "--images", "photos"])
    assert.match(stdout, /Found 3 classes in \.\.\/photos: lily of the valley 3, rose 30, tulip 40/)
    assert.match(stdout, /Few images to learn from: lily of the valley/)
    assert.match(
      stdout,
      /Next: {3}cd 'it'\\''s'\n {8}npm install\n {8}npx distillery run \.\/my-pipeline\.ts/
    )
  })

  it("may come without images, or with some that are rendered", async () => {
    const without = await distillery(["init", "later"])
    assert.match(without.stdout, /Put your images into images\/<class>\//)
    assert.notMatch(without.stdout, /distillery run/)
    const { code, stdout } = await distillery(["init", "later", "--sample"])
    assert.strictEqual(code, 0)
    assert.match(stdout, /Rendered 3 classes in images: circle 60, cross 60, bar 60/)
    assert.lengthOf(readdirSync(at("later", "images", "cross")), 60)
  })
})

describe("what is there", () => {
  it("is kept, whatever it holds", async () => {
    mkdirSync(at("mine"))
    writeFileSync(at("mine", "README.md"), "my own words")
    const first = await distillery(["init", "mine", "--images", "photos"])
    assert.match(first.stdout, /Kept as they are: README\.md/)
    assert.strictEqual(read("mine", "README.md"), "my own words")
    writeFileSync(at("mine", "my-pipeline.ts"), "// changed")
    const again = JSON.parse((await distillery(["init", "mine", "--images", "photos", "--json"])).stdout)
    assert.deepStrictEqual(again.written, [])
    assert.sameMembers(again.kept, files)
    assert.strictEqual(read("mine", "my-pipeline.ts"), "// changed")
  })

  it("a package.json of npm init gets what it lacks, and nothing else changes", async () => {
    mkdirSync(at("begun"))
    const test = 'echo "Error: no test specified" && exit 1'
    const before = { name: "begun", type: "commonjs", scripts: { test, build: "x" }, license: "MIT" }
    writeFileSync(at("begun", "package.json"), JSON.stringify(before))
    const { stdout } = await distillery(["init"], { folder: at("begun") })
    assert.match(
      stdout,
      /Added to package\.json: type, scripts\.start, scripts\.test, scripts\.check, depend/
    )
    const { license, name, scripts, type } = json("begun", "package.json")
    assert.deepStrictEqual([license, name, type], ["MIT", "begun", "module"])
    assert.deepStrictEqual([scripts.build, scripts.test], ["x", "node --test"])
  })
})

describe("refused, with nothing written", () => {
  it.each([
    [["--images", "nowhere"], /--images: there is no folder nowhere/],
    [["--images", "photos/rose"], /"0\.pgm" does not lie where images .*\n {2}Lay them out as/],
    [["--images", "photos", "--sample"], /one too many/]
  ])("%o", async (flags, reason) => {
    const { code, stderr } = await distillery(["init", "refused", ...flags])
    assert.strictEqual(code, 2)
    assert.match(stderr, reason)
    assert.isFalse(existsSync(at("refused")))
  })

  it.each([
    ["a file in place of the folder", "file", "", /is a file: name a folder/],
    ["a package.json that is none", "broken", "{", /package\.json cannot be read/],
    ["code that is no module", "old", "{}", /"type": "module", and there is code \(index\.js\)/]
  ])("%s", async (_, folder, manifest, reason) => {
    if (manifest === "") writeFileSync(at(folder), "")
    else {
      mkdirSync(at(folder))
      writeFileSync(at(folder, "package.json"), manifest)
      writeFileSync(at(folder, "index.js"), "")
    }
    const { code, stderr } = await distillery(["init", folder])
    assert.strictEqual(code, 2)
    assert.match(stderr, reason)
    if (manifest !== "") assert.sameMembers(readdirSync(at(folder)), ["package.json", "index.js"])
  })

  it("the checkout of distillery itself", async () => {
    const { code, stderr } = await distillery(["init"], { folder: packageRoot })
    assert.strictEqual(code, 2)
    assert.match(stderr, /this is the folder of distillery itself/)
    assert.isFalse(existsSync(join(packageRoot, "my-pipeline.ts")))
  })
})
