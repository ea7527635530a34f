/** Bad input through the real program: a clear message, the right exit code, and finished work is kept. */
import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { afterAll, assert, describe, it } from "vitest"
import { distillery, packageRoot, project } from "./builtProgram.ts"

const mirror = join(project, "mirror")
mkdirSync(mirror)

/** IDX: big-endian magic, extents, bytes. The header may claim more than there is. */
const idx = (claimed: ReadonlyArray<number>, numBytes: number): Buffer => {
  const header = Buffer.alloc(4 + 4 * claimed.length)
  header.writeUInt32BE(0x0800 + claimed.length)
  claimed.forEach((extent, i) => void header.writeUInt32BE(extent, 4 + 4 * i))
  return Buffer.concat([header, Buffer.alloc(numBytes, 1)])
}

/** A tar of one member, checksum included. */
const tarOf = (name: string, bytes: Buffer): Buffer => {
  const header = Buffer.alloc(512)
  header.write(name, 0)
  header.write("0000644\0", 100)
  header.write("0000000\0", 108)
  header.write("0000000\0", 116)
  header.write(`${bytes.length.toString(8).padStart(11, "0")}\0`, 124)
  header.write("00000000000\0", 136)
  header.write("        0", 148)
  header.write("ustar\x0000", 257)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148)
  return Buffer.concat([header, bytes, Buffer.alloc(512 - (bytes.length % 512)), Buffer.alloc(1024)])
}

const images = idx([4, 8, 8], 256)
const labels = idx([4], 4)
const sha256 = (bytes: Buffer) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`

interface File {
  readonly path: string
  readonly sha256: string
}

/** Puts a file into the mirror; `content` is what its digest is of. */
const put = (name: string, stored: Buffer, content: Buffer, path = name): File => {
  writeFileSync(join(mirror, name), stored)
  return { path, sha256: sha256(content) }
}
const good = {
  images: put("images.gz", gzipSync(images), images),
  labels: put("labels.gz", gzipSync(labels), labels)
}

/** A pipeline of a job that is fine and an ingest of these training images. */
const pipelineOn = (name: string, trainImages: File): string => {
  const file = ({ path, sha256 }: File) =>
    JSON.stringify({ name: path, sha256, compression: "gzip", locations: [{ _tag: "Mirror", path }] })
  writeFileSync(
    join(project, `${name}.ts`),
    `import * as Pipeline from "${packageRoot}/lib/workflow/Pipeline.ts"
import { Ingest } from "${packageRoot}/stages/ingest.ts"
const source = { _tag: "Scenes", seed: 1, size: 16, numTrain: 8, numTest: 8 } as const
const fine = Ingest({ params: { source }, inputs: {} })
const images = Ingest({ params: { source: { _tag: "Idx", classes: ["a", "b"], files: {
  trainImages: ${file(trainImages)}, trainLabels: ${file(good.labels)},
  testImages: ${file(good.images)}, testLabels: ${file(good.labels)}
} } }, inputs: {} })
export const pipeline = Pipeline.make("${name}", "a toy", { fine, images })
`
  )
  return `./${name}.ts`
}

/** With a store of its own, where nothing was finished before, and a cache that is not the user's. */
const environmentOf = (store: string) => ({
  DISTILLERY_MIRROR: mirror,
  DISTILLERY_CACHE: join(project, "cache"),
  DISTILLERY_STORE: join(project, "stores", store)
})
type Environment = ReturnType<typeof environmentOf>

const run = (pipeline: string, environment: Environment) =>
  distillery(["run", pipeline, "--json"], { environment })

const statesIn = (stdout: string) =>
  Object.fromEntries(
    JSON.parse(stdout).jobs.map((job: { name: string; state: string }) => [job.name, job.state])
  )

const noTrace = (stderr: string) => assert.notMatch(stderr, /^\s+at /m)

const lying = idx([400, 8, 8], 256)
const cases: ReadonlyArray<readonly [what: string, exitCode: number, file: File, message: RegExp]> = [
  [
    "a wrong digest",
    4,
    { ...good.images, sha256: sha256(labels) },
    /wrong content:\s+expected sha256:\w+, found sha256:\w+.*Remove or replace/s
  ],
  [
    "a truncated gzip",
    1,
    put("cut.gz", gzipSync(images).subarray(0, 20), images),
    /cut\.gz.*file is truncated.*Put a good copy below DISTILLERY_MIRROR/s
  ],
  [
    "an IDX file with a lying header",
    1,
    put("lying.gz", gzipSync(lying), lying),
    /lying\.gz.*promises 400 .*256 follow.*Replace it/s
  ],
  [
    "a tar with a member outside of it",
    1,
    put("evil.tar", tarOf("../outside", gzipSync(images)), images, "evil.tar/outside"),
    /member "\.\.\/outside".*leads outside.*Put a good copy/s
  ]
]

const right = environmentOf("right")

describe("what a stage reads", () => {
  it.each(cases)(
    "%s: exit code %i, a clear message, the other job kept",
    async (what, exitCode, file, message) => {
      const name = what.replaceAll(/\W/g, "-").toLowerCase()
      const pipeline = pipelineOn(name, file)
      const environment = environmentOf(name)
      const first = await run(pipeline, environment)
      assert.strictEqual(first.code, exitCode, first.stderr)
      assert.match(first.stderr, message)
      assert.match(first.stderr, /again +npx distillery run .* --only images/)
      noTrace(first.stderr)
      assert.deepStrictEqual(statesIn(first.stdout), { fine: "ran", images: "failed" })
      const second = await run(pipeline, environment)
      assert.deepStrictEqual(statesIn(second.stdout), { fine: "hit", images: "failed" })
    }
  )

  it("nothing is written where the tar's member leads", () => {
    assert.isTrue(existsSync(join(mirror, "evil.tar")))
    for (const folder of [join(project, ".."), project, join(project, "stores"), join(project, "cache")])
      assert.isFalse(existsSync(join(folder, "outside")), folder)
  })

  it("nothing wrong: the same pipeline passes", async () => {
    const { code, stderr, stdout } = await run(pipelineOn("right", good.images), right)
    assert.strictEqual(code, 0, stderr)
    assert.deepStrictEqual(statesIn(stdout), { fine: "ran", images: "ran" })
  })
})

/** What the run before finished is still there. */
const nothingLost = async () => {
  const { code, stdout } = await distillery(["plan", "./right.ts", "--json"], { environment: right })
  assert.deepStrictEqual([code, JSON.parse(stdout).pending], [0, 0])
}

describe("what a person writes", () => {
  it.each([
    [
      "an unknown param",
      ["run", "quickstart", "--set", "teacher.training.epoch=3"],
      /"epoch".*mean "epochs"/
    ],
    [
      "a param of the wrong type",
      ["run", "quickstart", "--set", "teacher.training.epochs=many"],
      /"many".*number/
    ],
    ["an unknown pipeline", ["run", "quikstart"], /no pipeline "quikstart": did you mean "quickstart"\?/]
  ])("%s is refused before anything runs", async (_, args, message) => {
    const { code, stderr, stdout } = await distillery(args, { environment: right })
    assert.deepStrictEqual([code, stdout], [2, ""])
    assert.match(stderr, message)
    noTrace(stderr)
    await nothingLost()
  })

  it("a cycle is named, not looped over", async () => {
    writeFileSync(
      join(project, "cycle.ts"),
      `import * as Pipeline from "${packageRoot}/lib/workflow/Pipeline.ts"
import { Ingest } from "${packageRoot}/stages/ingest.ts"
const source = (seed: number) => ({ _tag: "Scenes", seed, size: 16, numTrain: 8, numTest: 8 } as const)
const first = Ingest({ params: { source: source(1) }, inputs: {} })
const second = Ingest({ params: { source: source(2) }, inputs: {} })
Object.assign(first, { inputs: { dataset: second } })
Object.assign(second, { inputs: { dataset: first } })
export const pipeline = Pipeline.make("cycle", "a toy", { first, second })
`
    )
    const { code, stderr, stdout } = await run("./cycle.ts", right)
    assert.deepStrictEqual([code, stdout], [2, ""])
    assert.match(stderr, /the jobs form a cycle: first → second → first/)
    noTrace(stderr)
    await nothingLost()
  })
})

/** A real file system of 2 MiB; needs the right to mount. */
const small = join(project, "small")
mkdirSync(small)
const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", small]).status === 0
afterAll(() => {
  if (mounted) spawnSync("umount", [small])
})

describe.skipIf(!mounted)(`a full disk${mounted ? "" : " (skipped: no right to mount a tmpfs)"}`, () => {
  it("is said with the place and the way out; smaller jobs are kept", async () => {
    writeFileSync(
      join(project, "large.ts"),
      `import * as Pipeline from "${packageRoot}/lib/workflow/Pipeline.ts"
import { Ingest } from "${packageRoot}/stages/ingest.ts"
const scenes = (numTrain: number, size: number) =>
  Ingest({ params: { source: { _tag: "Scenes", seed: 1, size, numTrain, numTest: 8 } }, inputs: {} })
export const pipeline = Pipeline.make("large", "a toy", { fine: scenes(8, 16), large: scenes(200, 64) })
`
    )
    const environment = { ...environmentOf("small"), DISTILLERY_STORE: join(small, "store") }
    const first = await run("./large.ts", environment)
    assert.strictEqual(first.code, 1, first.stderr)
    assert.deepStrictEqual(statesIn(first.stdout), { fine: "ran", large: "failed" })
    assert.match(first.stderr, /No space left.*small.*DISTILLERY_STORE/s)
    noTrace(first.stderr)
    const second = await run("./large.ts", environment)
    assert.deepStrictEqual(statesIn(second.stdout), { fine: "hit", large: "failed" })
  })
})
