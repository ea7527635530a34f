/** How a run runs, by its flags: attempts, starts after a failure, what takes too long, where jobs run. */
import { createHash } from "node:crypto"
import { writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { distillery, packageRoot, project } from "./builtProgram.ts"

const idx = (dims: ReadonlyArray<number>, values: ReadonlyArray<number>): Uint8Array => {
  const header = [0, 0, 8, dims.length, ...dims.flatMap((dim) => [0, 0, 0, dim])]
  return Uint8Array.from([...header, ...values])
}
const files: { readonly [name: string]: Uint8Array } = {
  trainImages: idx([3, 1, 2], [1, 2, 3, 4, 5, 6]),
  trainLabels: idx([3], [1, 0, 1]),
  testImages: idx([1, 1, 2], [7, 8]),
  testLabels: idx([1], [0])
}

/** Answers 503 to the first eight requests for the first file, and 404 for what it does not have. */
let numRefused = 0
const server = createServer(({ url = "" }, response) => {
  const file = files[url.slice(1)]
  if (url === "/trainImages" && numRefused < 8) {
    numRefused += 1
    response.writeHead(503).end()
  } else if (file === undefined) response.writeHead(404).end()
  else response.end(file)
})

/** Of files that a mirror may not know: `salt` makes their digests others. */
const sourceAt = (origin: string, folder: string, salt: string) =>
  JSON.stringify({
    _tag: "Idx",
    classes: ["a", "b"],
    files: Object.fromEntries(
      Object.entries(files).map(([name, bytes]) => [
        name,
        {
          name,
          sha256: `sha256:${createHash("sha256").update(bytes).update(salt).digest("hex")}`,
          compression: "none",
          locations: [{ _tag: "Https", url: `${origin}/${folder}${name}` }]
        }
      ])
    )
  })

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  writeFileSync(
    join(project, "settings.ts"),
    `import * as Pipeline from "${packageRoot}/lib/workflow/Pipeline.ts"
import { Ingest } from "${packageRoot}/stages/ingest.ts"
import { Preprocess } from "${packageRoot}/stages/preprocess.ts"
import { Pretrain } from "${packageRoot}/stages/pretrain.ts"
const busy = Ingest({ params: { source: ${sourceAt(origin, "", "")} }, inputs: {} })
const gone = Ingest({ params: { source: ${sourceAt(origin, "nowhere/", "gone")} }, inputs: {} })
const scenes = Ingest({
  params: { source: { _tag: "Scenes", seed: 7, size: 16, numTrain: 64, numTest: 16 } }, inputs: {}
})
const prepared = Preprocess({
  params: { height: 16, width: 16, channels: 3, validation: 0 }, inputs: { dataset: scenes }
})
const long = Pretrain({
  params: {
    architecture: { family: "resnet-cifar", depth: 8, width: 2, shortcut: "B" },
    training: {
      epochs: 5000, batchSize: 16, learningRate: 0.05, warmupEpochs: 0, weightDecay: 0, seed: 0,
      augment: { pad: 0, flip: false }, precision: "float32"
    }
  },
  inputs: { dataset: prepared }
})
export const pipeline = Pipeline.make("settings", "a toy", { gone, busy, scenes, prepared, long })
`
  )
})
afterAll(() => server.close())

/** Files fetched by an earlier run of these tests are not there. */
const environment = { DISTILLERY_CACHE: join(project, "cache") }

const run = async (...flags: ReadonlyArray<string>) => {
  const { code, stderr, stdout } = await distillery(["run", "settings.ts", "--json", ...flags], {
    environment
  })
  const jobs: ReadonlyArray<{ name: string; state: string }> = stdout === "" ? [] : JSON.parse(stdout).jobs
  return { code, stderr, states: Object.fromEntries(jobs.map(({ name, state }) => [name, state])) }
}

describe("run", () => {
  it("tries again what may pass, and says so", async () => {
    const { code, stderr, states } = await run("--only", "busy")
    assert.strictEqual(code, 0, stderr)
    assert.deepStrictEqual(states, { busy: "ran" })
    assert.match(
      stderr,
      /^↻ busy +attempt 1 of 3 failed, tries again in \d\.\d s: "trainImages" could not be had/m
    )
    assert.match(stderr, /^↻ busy +attempt 2 of 3 failed/m)
  }, 60_000)

  it("starts nothing new after a failure, but for --keep-going", async () => {
    const only = ["--only", "gone,scenes", "--concurrency", "1"]
    const halted = await run(...only)
    assert.strictEqual(halted.code, 1)
    assert.deepStrictEqual(halted.states, { gone: "failed", scenes: "skipped" })
    assert.match(halted.stderr, /^- scenes +skipped: not started, because "gone" failed \(--keep-going/m)
    assert.notMatch(halted.stderr, /↻/, "what is not there is not asked for again")
    const kept = await run(...only, "--keep-going")
    assert.strictEqual(kept.code, 1)
    assert.deepStrictEqual(kept.states, { gone: "failed", scenes: "ran" })
  }, 60_000)

  it("stops a job that takes too long, with its state saved and advice", async () => {
    const { code, states, stderr } = await run("--only", "scenes,prepared,long", "--time-limit", "long=8s")
    assert.strictEqual(code, 1)
    assert.strictEqual(states.long, "failed")
    assert.match(stderr, /Job "long" took longer than its limit of 8 s: it had come to \d+ of \d+/)
    assert.match(stderr, /It stopped with its state saved\. Run again: .*--time-limit long=16s\./)
    assert.match(stderr, /^ +again +npx distillery run settings\.ts --only long$/m)
  }, 60_000)

  it.each([
    ["long=soon", /"long=soon" is no limit of a job/],
    ["lnog=3s", /no job "lnog".*long/]
  ])("refuses the limit %s", async (limit, message) => {
    const { code, stderr } = await run("--time-limit", limit)
    assert.strictEqual(code, 2)
    assert.match(stderr, message)
  })

  it.each(["warm", "fresh", "in-process"])(
    "gives the same with --executor %s",
    async (executor) => {
      const { code, stderr } = await run("--only", "scenes,prepared", "--force", "--executor", executor)
      assert.strictEqual(code, 0, stderr)
      for (const job of ["scenes", "prepared"])
        assert.include(stderr, `${job}: computed again, with the same result`)
    },
    60_000
  )

  it("is estimated from what it took before", async () => {
    const plan = await distillery(["plan", "settings.ts", "--only", "gone,scenes", "--force=scenes"])
    assert.match(plan.stdout, /^scenes +ingest +will run +[\d.]+ s +[\d.]+ kB +forced$/m)
    assert.match(plan.stdout, /^gone +ingest +will run +no past run +never ran$/m)
    assert.match(plan.stdout, /^About [\d.]+ s and [\d.]+ kB, as past runs took; 1 job has no past run\.$/m)
  })
})
