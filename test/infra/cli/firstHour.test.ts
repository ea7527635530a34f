/**
 * A stranger's first hour: the package installed into an empty folder as it would be published, a project for
 * images of their own, trained, a new photo looked at. Nothing is known of this checkout; npm's cache is.
 */
import { execFileSync } from "node:child_process"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { delimiter, join } from "node:path"
import { assert, beforeAll, beforeEach, describe, inject, it } from "vitest"
import { encodeNetpbm } from "../../../lib/data/formats/netpbm.ts"
import { renderScene } from "../../../lib/data/scenes/scene.ts"
import { shapeNames } from "../../../lib/data/scenes/shapes.ts"
import { call } from "../../support/packedPackage.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"

const home = temporaryFolder()
const folder = join(temporaryFolder(), "my shapes")

const isOwnTools = (path: string): boolean => path.includes("node_modules")
const environment = {
  HOME: home,
  PATH: process.env.PATH?.split(delimiter)
    .filter((path) => !isOwnTools(path))
    .join(delimiter),
  npm_config_cache: execFileSync("npm", ["config", "get", "cache"], { encoding: "utf8" }).trim(),
  npm_config_prefer_offline: "true",
  npm_config_audit: "false",
  npm_config_update_notifier: "false",
  DISTILLERY_BACKEND: "portable"
}

const stranger = (...command: readonly [string, ...ReadonlyArray<string>]) =>
  call(folder, command, { environment })

const distillery = async (...args: ReadonlyArray<string>) => {
  const ended = await stranger("npx", "distillery", ...args)
  assert.strictEqual(ended.code, 0, `${args.join(" ")}: ${ended.stderr}${ended.stdout}`)
  return ended
}

const classes = ["bar", "circle", "cross"]
const photo = "new photo.ppm"

/** Of each class 30 images, and one of a circle that is not among them. */
const takePhotos = (): void => {
  const counts: Record<string, number> = {}
  for (let index = 0; index < 31 * shapeNames.length; index++) {
    const { image, shapes } = renderScene({ seed: 5, index, size: 32, maxShapes: 1 })
    const name = shapeNames[shapes[0]!.classIndex]!
    counts[name] = (counts[name] ?? 0) + 1
    if (!classes.includes(name)) continue
    mkdirSync(join(folder, "photos", name), { recursive: true })
    if (counts[name] <= 30) {
      writeFileSync(join(folder, "photos", name, `${counts[name]}.ppm`), encodeNetpbm(image))
    } else if (name === "circle") writeFileSync(join(folder, photo), encodeNetpbm(image))
  }
}

const noNetwork = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ENOTCACHED|ETIMEDOUT/

const states = (stdout: string): { readonly [job: string]: string } =>
  Object.fromEntries(
    JSON.parse(stdout).jobs.map(({ name, state }: { readonly name: string; readonly state: string }) => [
      name,
      state
    ])
  )

const jobs = ["images", "prepared", "balance", "model", "evaluation", "report"]
const short = ["--set", "model.training.epochs=3"]

/** What `distillery/run` is for: a program of the user's own. */
const ownProgram = `import { plan, run } from "distillery/run"
import { pipeline } from "./my-pipeline.ts"
const pipelineFile = import.meta.dirname + "/my-pipeline.ts"
const selection = { to: ["balance"] }
const events = []
const planned = await plan(pipeline, { pipelineFile, selection })
const again = await run(pipeline, { pipelineFile, selection, onEvent: ({ _tag }) => events.push(_tag) })
const signal = AbortSignal.abort()
const stopped = await run(pipeline, { pipelineFile, signal })
console.log(JSON.stringify({
  planned: planned.jobs.map(({ state }) => state._tag),
  again: again.report.jobs.map(({ state }) => state),
  last: events.at(-1),
  stopped: [stopped.report.status, ...stopped.report.jobs.map(({ state }) => state)]
}))
`

describe("the first hour", () => {
  let isOffline = false

  beforeAll(async () => {
    mkdirSync(folder)
    takePhotos()
    assert.strictEqual((await stranger("npm", "init", "-y")).code, 0)
    const { code, stderr } = await stranger("npm", "install", inject("tarball"))
    isOffline = code !== 0 && noNetwork.test(stderr)
    if (!isOffline) assert.strictEqual(code, 0, stderr)
  }, 240_000)

  beforeEach(({ skip }) => skip(isOffline, "npm reaches no registry"))

  it("starts with help", async () => {
    const { stdout } = await distillery("--help")
    assert.match(stdout, /init .*project of your own/i)
  })

  it("begins a project for the photos", async () => {
    const { stdout } = await distillery("init", "--images", "photos")
    assert.match(stdout, /Found 3 classes in photos: bar 30, circle 30, cross 30/)
    const { dependencies } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"))
    assert.match(dependencies.distillery, /^file:.*distillery-.*\.tgz$/)
    const { code, stderr } = await stranger("npm", "install")
    assert.strictEqual(code, 0, stderr)
  }, 120_000)

  it("which compiles, and whose test passes", async () => {
    const compiled = await stranger("npm", "run", "check")
    assert.strictEqual(compiled.code, 0, compiled.stdout)
    const tested = await stranger("npm", "test")
    assert.strictEqual(tested.code, 0, tested.stdout)
    assert.match(tested.stdout, /pass 1/)
  }, 60_000)

  it("plans, runs, and does nothing twice", async () => {
    const planned = await distillery("plan", "./my-pipeline.ts", ...short)
    assert.match(planned.stdout, /6 of 6 jobs to do/)
    const first = await distillery("run", "./my-pipeline.ts", ...short, "--json")
    assert.deepStrictEqual(states(first.stdout), Object.fromEntries(jobs.map((job) => [job, "ran"])))
    const again = await distillery("run", "./my-pipeline.ts", ...short, "--json")
    assert.deepStrictEqual(states(again.stdout), Object.fromEntries(jobs.map((job) => [job, "hit"])))
  }, 120_000)

  it("says what is on a new photo, by the pipeline's name or its path", async () => {
    const { stdout } = await distillery("predict", "my-shapes/model", photo, "--json")
    const { images, model } = JSON.parse(stdout)
    assert.sameMembers(model.classes, classes)
    assert.lengthOf(images, 1)
    const byPath = await distillery("predict", "./my-pipeline.ts/model", photo, "--json")
    assert.deepStrictEqual(JSON.parse(byPath.stdout), JSON.parse(stdout))
  }, 60_000)

  it("runs the stage again when its code does something else, and only then", async () => {
    const body = join(folder, "stages", "class-balance.run.ts")
    const code = readFileSync(body, "utf8")
    writeFileSync(body, `// Looked at.\n${code}`)
    const looked = await distillery("plan", "./my-pipeline.ts", ...short)
    assert.match(looked.stdout, /nothing to do/i)
    writeFileSync(body, code.replace("/ 255 /", "/ 256 /"))
    const changed = await distillery("run", "./my-pipeline.ts", ...short, "--json")
    const others = Object.fromEntries(jobs.map((job) => [job, "hit"]))
    assert.deepStrictEqual(states(changed.stdout), { ...others, balance: "ran" })
  }, 60_000)

  it("can be run by a program of their own, and stopped", async () => {
    writeFileSync(join(folder, "own.ts"), ownProgram)
    const { code, stderr, stdout } = await stranger("npx", "node", "own.ts")
    assert.strictEqual(code, 0, stderr)
    assert.deepStrictEqual(JSON.parse(stdout), {
      planned: ["Hit", "Hit", "Hit"],
      again: ["hit", "hit", "hit"],
      last: "RunFinished",
      stopped: ["stopped", "hit", "hit", "hit", "skipped", "skipped", "skipped"]
    })
  }, 60_000)
})
