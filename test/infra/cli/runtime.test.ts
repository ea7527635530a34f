/** `distillery runtime`, as a process, on a cache of its own. */
import { existsSync, mkdirSync, readdirSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, beforeEach, describe, it } from "vitest"
import { digestOf, writeRecord } from "../../../infra/tensorflow/installed.ts"
import { startPipIndex } from "../../support/pipIndex.ts"
import { toyCpuWheels } from "../../support/toyRelease.ts"
import { distillery, project } from "./builtProgram.ts"

interface Listed {
  readonly runtime: string
  readonly libraries: ReadonlyArray<{
    readonly name: string
    readonly directory: string
    readonly state: string
    readonly serves: boolean
    readonly reason?: string
    readonly sizeBytes?: number
  }>
}

let cache = ""
let numCaches = 0
beforeEach(() => {
  numCaches += 1
  cache = join(project, `runtime-cache-${numCaches}`)
})

const runtime = (args: ReadonlyArray<string>, environment: { readonly [name: string]: string } = {}) =>
  distillery(["runtime", ...args], {
    environment: { DISTILLERY_CACHE: cache, DISTILLERY_BACKEND: "auto", ...environment }
  })

const names = ["libtensorflow_cc.so.2", "libtensorflow_framework.so.2"]

/** As if it had been fetched, though nobody could load it. */
const pretendFetched = async (folder: string): Promise<string> => {
  const target = join(cache, "tensorflow", folder)
  mkdirSync(target, { recursive: true })
  for (const name of names) writeFileSync(join(target, name), `the content of ${name}`)
  const files = names.map(async (path) => ({
    path,
    sizeBytes: `the content of ${path}`.length,
    sha256: await digestOf(join(target, path))
  }))
  await writeRecord(target, await Promise.all(files))
  return target
}

describe("distillery runtime", () => {
  it("lists what there is and what serves", async () => {
    const empty = await runtime(["list"])
    assert.deepStrictEqual([empty.code, empty.stderr], [0, ""])
    assert.match(empty.stdout, /^library +state +folder\nTensorFlow 2\.21\.0 +it has not been fetched /)
    assert.match(empty.stdout, /^The portable runtime serves until .*: npx distillery runtime install$/m)
    const target = await pretendFetched("2.21.0-cpu-linux-x64")
    const { stdout } = await runtime(["list", "--json"])
    const { libraries, runtime: kind } = JSON.parse(stdout) as Listed
    assert.strictEqual(kind, "native")
    assert.deepInclude(libraries[0], { directory: target, state: "whole", serves: true })
    const portable = await runtime(["list"], { DISTILLERY_BACKEND: "portable" })
    assert.match(portable.stdout, /^The portable runtime serves, as DISTILLERY_BACKEND asks\.$/m)
  }, 30_000)

  it("lists the folder that the user names, and that it holds none", async () => {
    const named = await runtime(["list", "--json"], { DISTILLERY_TENSORFLOW: project })
    const { libraries, runtime: serving } = JSON.parse(named.stdout) as Listed
    assert.strictEqual(serving, "none")
    const { stdout } = await runtime(["list"], { DISTILLERY_TENSORFLOW: project })
    assert.match(stdout, /^No runtime serves: correct DISTILLERY_TENSORFLOW, or leave it out\.$/m)
    assert.include(libraries[0], { name: "DISTILLERY_TENSORFLOW", state: "absent", serves: false })
  })

  it("finds damage by size at once, by content with --verify, and then exits with 4", async () => {
    const target = await pretendFetched("2.21.0-cpu-linux-x64")
    writeFileSync(join(target, names[0]!), `the Content of ${names[0]}`)
    assert.strictEqual((await runtime(["list"])).code, 0)
    const verified = await runtime(["list", "--verify"])
    assert.strictEqual(verified.code, 4)
    assert.match(verified.stdout, /damaged: .*libtensorflow_cc\.so\.2 has changed since it was fetched/)
    truncateSync(join(target, names[0]!), 3)
    assert.match((await runtime(["list"])).stdout, /damaged: .*libtensorflow_cc\.so\.2 has 3 bytes instead/)
  }, 30_000)

  it("removes what was fetched, one kind at a time, half fetched things with it", async () => {
    const cpu = await pretendFetched("2.20.0-cpu-linux-x64")
    const gpu = await pretendFetched("2.21.0-gpu-linux-x64")
    mkdirSync(join(cache, "tensorflow", "staging-x"))
    const removed = await runtime(["remove"])
    assert.deepStrictEqual([removed.code, removed.stdout], [0, `removed ${cpu}\n`])
    assert.deepStrictEqual(readdirSync(join(cache, "tensorflow")), ["2.21.0-gpu-linux-x64"])
    assert.strictEqual((await runtime(["remove", "--gpu"])).stdout, `removed ${gpu}\n`)
    assert.strictEqual((await runtime(["remove"])).stdout, "Nothing was fetched.\n")
  }, 30_000)

  it("says why nothing is fetched, and exits with 1", async () => {
    const index = await startPipIndex(toyCpuWheels)
    const wrong = await runtime(["install"], { PIP_INDEX_URL: index.url })
    index.close()
    assert.strictEqual(wrong.code, 1)
    assert.match(wrong.stderr, /^error: TensorFlow 2\.21\.0 was not fetched, because /m)
    assert.isFalse(existsSync(join(cache, "tensorflow", "2.21.0-cpu-linux-x64")))
  }, 30_000)

  it("on a system too old nothing is fetched, the portable runtime serves, a line says so", async () => {
    const old = `process.report.getReport=()=>({header:{glibcVersionRuntime:"2.17"},sharedObjects:[]})`
    const environment = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(old)}` }
    const { code, stderr } = await runtime(["install"], environment)
    assert.strictEqual(code, 2)
    assert.match(stderr, /^error: there is no library to fetch, because .* needs glibc 2\.27 or newer/)
    const run = await distillery(["run", "./toy.ts"], {
      environment: { DISTILLERY_CACHE: cache, DISTILLERY_BACKEND: "auto", ...environment }
    })
    assert.strictEqual(run.code, 0)
    const slower =
      /^the portable runtime trains, some \d+ times slower than the native one, because .*2\.17$/gm
    assert.lengthOf([...run.stderr.matchAll(slower)], 1, run.stderr)
  }, 60_000)
})
