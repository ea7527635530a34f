/** A project with a stage of its own, as `init` makes it: its code is followed, ours is what was built. */
import { appendFileSync, copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, beforeAll, describe, it } from "vitest"
import { built, distillery, packageRoot, project } from "./builtProgram.ts"

const folder = join(project, "mine")
const bodyFile = join(folder, "stages/class-balance.run.ts")
const mine = (...args: ReadonlyArray<string>) => distillery(args, { folder })

/** As npm would install them. */
const install = (): void => {
  const modules = join(folder, "node_modules")
  mkdirSync(join(modules, "distillery"), { recursive: true })
  copyFileSync(join(packageRoot, "package.json"), join(modules, "distillery/package.json"))
  symlinkSync(built, join(modules, "distillery/dist"))
  symlinkSync(join(packageRoot, "node_modules/effect"), join(modules, "effect"))
}

beforeAll(async () => {
  assert.strictEqual((await distillery(["init", "mine", "--sample"])).code, 0)
  install()
  const { code, stderr } = await mine("run", "./my-pipeline.ts", "--to", "balance")
  assert.strictEqual(code, 0, stderr)
}, 60_000)

const balance = async (): Promise<string> => {
  const { stdout } = await mine("plan", "./my-pipeline.ts", "--to", "balance", "--json")
  const { jobs } = JSON.parse(stdout) as {
    jobs: ReadonlyArray<{ name: string; state: string; reason: string }>
  }
  const { reason, state } = jobs.find(({ name }) => name === "balance")!
  return reason === "" ? state : reason
}

describe("a stage of the user's own", () => {
  it("ran, and is a hit after an edit that changes nothing", async () => {
    assert.strictEqual(await balance(), "hit")
    appendFileSync(bodyFile, "\n// a remark\nexport const unused = 1\n")
    assert.strictEqual(await balance(), "hit")
  })

  it("runs again when a function that it uses changes, which is named with file and line", async () => {
    const source = readFileSync(bodyFile, "utf8")
    writeFileSync(bodyFile, source.replace("sum / 255", "sum / 256"))
    const line = source.split("\n").findIndex((text) => text.startsWith("const brightnessOf")) + 1
    assert.strictEqual(
      await balance(),
      `code of stages/class-balance.run.ts#brightnessOf changed (stages/class-balance.run.ts:${line})`
    )
    writeFileSync(bodyFile, source)
    assert.strictEqual(await balance(), "hit")
  })

  it("that fails is told with the line of its source", async () => {
    const source = readFileSync(bodyFile, "utf8")
    const broken = source.replace("return { rows }", 'throw new TypeError("a bug")\n  return { rows }')
    writeFileSync(bodyFile, broken)
    const { code, stderr } = await mine("run", "./my-pipeline.ts", "--to", "balance")
    writeFileSync(bodyFile, source)
    assert.strictEqual(code, 1)
    const line = broken.split("\n").findIndex((text) => text.includes("a bug")) + 1
    assert.include(stderr, `class-balance.run.ts:${line}:`)
  })

  it("that cannot be hashed fails the plan, though its job would wait", async () => {
    const source = readFileSync(bodyFile, "utf8")
    writeFileSync(bodyFile, source.replace("return { rows }", "return { rows: await import(String(rows)) }"))
    const { code, stderr } = await mine("plan", "./my-pipeline.ts", "--set", "images.source.testFraction=0.3")
    writeFileSync(bodyFile, source)
    assert.strictEqual(code, 2)
    assert.match(stderr, /code of stage "class-balance".*class-balance\.run\.ts:\d+: /)
  })
})

/** A module that refuses to load a parser, a bundler or a scope analysis, to be loaded before the program. */
const refusal = `data:text/javascript,${encodeURIComponent(
  'import { registerHooks } from "node:module"\n' +
    "registerHooks({ resolve(specifier, context, next) {\n" +
    "if (/oxc-parser|eslint-scope|esbuild/.test(specifier)) throw new Error('loaded: ' + specifier)\n" +
    "return next(specifier, context) } })"
)}`

describe("a plan whose code is known", () => {
  it("loads neither parser nor bundler", async () => {
    const args = ["plan", "./my-pipeline.ts", "--to", "balance"]
    const environment = { NODE_OPTIONS: `--import=${refusal}` }
    await mine(...args)
    const warm = await distillery(args, { folder, environment })
    assert.deepStrictEqual([warm.code, warm.stderr], [0, ""])
    appendFileSync(bodyFile, "\n")
    const edited = await distillery(args, { folder, environment })
    assert.match(edited.stderr, /loaded: (oxc-parser|eslint-scope)/)
  })
})

describe("a service whose sources are not those of the build", () => {
  it("is refused, with what to do", async () => {
    const file = join(built, "sources.json")
    const source = readFileSync(file, "utf8")
    const planWith = async (changed: object) => {
      const sources = JSON.parse(source) as Record<string, object>
      const path = "infra/images/SharpImageCodec.ts"
      writeFileSync(file, JSON.stringify({ ...sources, [path]: { ...sources[path], ...changed } }))
      const ended = await mine("plan", "./my-pipeline.ts")
      writeFileSync(file, source)
      return ended
    }
    const other = `sha256:${"0".repeat(64)}`
    // Another comment, say, or another format.
    assert.strictEqual((await planWith({ digest: other })).code, 0)
    const { code, stderr } = await planWith({ digest: other, code: other })
    assert.strictEqual(code, 2)
    assert.match(
      stderr,
      /service "ImageCodec" runs from dist\/.*SharpImageCodec\.ts changed: run npm run prepare/
    )
  })
})
