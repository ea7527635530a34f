/** Keeping the store: what gc takes and leaves, also while a run goes on; what verify finds and repairs. */
import { createHash } from "node:crypto"
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync
} from "node:fs"
import { dirname, join, relative } from "node:path"
import { assert, beforeAll, describe, it } from "vitest"
import { until } from "../../support/processes.ts"
import { distillery, project, start } from "./builtProgram.ts"

const objects = join(project, ".distillery", "store", "objects")

const filesIn = (folder: string): ReadonlyArray<string> =>
  existsSync(join(objects, folder))
    ? readdirSync(join(objects, folder), { recursive: true, encoding: "utf8" })
        .map((file) => join(objects, folder, file))
        .filter((file) => statSync(file).isFile())
    : []

/** As if all of it had been written long ago. */
const age = (days: number, files: ReadonlyArray<string>): void => {
  const then = new Date(Date.now() - days * 86_400_000)
  for (const file of files) utimesSync(file, then, then)
}

const jsonOf = async (...args: ReadonlyArray<string>) => {
  const { stderr, stdout } = await distillery([...args, "--json"])
  assert.isNotEmpty(stdout, stderr)
  return JSON.parse(stdout)
}

const run = async (...args: ReadonlyArray<string>) => {
  const { code, stderr } = await distillery(["run", "./toy.ts", "--quiet", ...args])
  assert.strictEqual(code, 0, stderr)
}

const pending = async (...args: ReadonlyArray<string>) => (await jsonOf("plan", "./toy.ts", ...args)).pending

const seed = (value: number) => ["--set", `scenes.source.seed=${value}`]

describe("gc", () => {
  beforeAll(async () => {
    await run(...seed(1))
    await run(...seed(2))
    await run()
  }, 60_000)

  it("takes nothing that is young, or of the latest runs", async () => {
    const { code, stdout } = await distillery(["gc", "--yes"])
    assert.strictEqual(code, 0)
    assert.match(stdout, /^Nothing to remove: the store holds /)
    age(30, filesIn(""))
    const kept = await jsonOf("gc", "--keep-runs", "3")
    for (const { owner } of kept.groups) assert.match(owner, /^(leases and records of|states that nobody) /)
    assert.strictEqual(kept.removed, false)
  })

  it("shows what would go, and takes it only when told so", async () => {
    const before = filesIn("").length
    const shown = await distillery(["gc", "--keep-runs", "2"])
    assert.strictEqual(shown.code, 0)
    assert.match(shown.stdout, /^what +results +objects +size\n/)
    assert.match(shown.stdout, /^toy\/teacher +1 +2 +.*B$/m)
    assert.match(shown.stdout, /^Would remove .*B; the store holds .*B$/m)
    assert.strictEqual(shown.stderr, "Nothing was removed yet: add --yes to do it\n")
    assert.strictEqual(filesIn("").length, before)
    const taken = await jsonOf("gc", "--keep-runs", "2", "--yes")
    assert.strictEqual(taken.removed, true)
    assert.strictEqual(
      filesIn("").length,
      before -
        taken.groups.reduce(
          (count: number, { owner, objects }: { owner: string; objects: number }) =>
            count + (owner.startsWith("leases") ? objects : 0),
          0
        )
    )
    assert.isAbove(filesIn("trash").length, 0)
    assert.isAbove(taken.trashBytes, 0)
    assert.lengthOf(taken.runs, 1)
    assert.deepStrictEqual([await pending(), await pending(...seed(2)), await pending(...seed(1))], [0, 0, 4])
    assert.strictEqual((await distillery(["verify"])).code, 0)
    assert.match((await distillery(["gc", "--keep-runs", "2"])).stdout, /^Nothing to remove/)
  }, 30_000)

  it("puts back what it took, or frees its room for good", async () => {
    const restored = await distillery(["gc", "--restore"])
    assert.match(restored.stdout, /^Put back 4 results \(\d+ objects, .*B\)\n$/)
    assert.deepStrictEqual([await pending(...seed(1)), filesIn("trash").length], [0, 0])
    age(30, filesIn(""))
    const { stdout } = await distillery(["gc", "--keep-runs", "2", "--yes", "--trash", "0d"])
    assert.match(stdout, /^made by run +results +objects +size\n\d{8}-\d{6}-[0-9a-f]{6} +4 /m)
    assert.match(stdout, /^Freed .*B whose time in the trash was over$/m)
    assert.deepStrictEqual([await pending(...seed(1)), filesIn("trash").length], [4, 0])
    assert.match((await distillery(["gc", "--restore"])).stdout, /^Nothing to put back: the trash is empty/)
  }, 30_000)

  it("leaves the latest result of every job and what it was made from, whatever its age", async () => {
    await distillery(["gc", "--keep-runs", "0", "--older-than", "1d", "--yes"])
    assert.deepStrictEqual([await pending(), await pending(...seed(2))], [0, 4])
    assert.strictEqual((await distillery(["verify"])).code, 0)
  }, 30_000)

  it("takes old states, leases, bytes that nobody names, and nothing it does not know", async () => {
    const put = (path: string) => {
      writeFileSync(join(objects, path), "x")
      return join(objects, path)
    }
    const orphan = join(objects, "blobs/sha256/ab", "c".repeat(62))
    const resume = join(objects, "resume", "main", "d".repeat(64))
    for (const folder of ["blobs/sha256/ab", `resume/main/${"d".repeat(64)}`, "unknown"])
      await import("node:fs/promises").then(({ mkdir }) => mkdir(join(objects, folder), { recursive: true }))
    writeFileSync(orphan, "orphan")
    const unknown = put("unknown/thing.json")
    const state = put(`resume/main/${"d".repeat(64)}/pointer.json`)
    age(30, [orphan, unknown, state])
    const { groups } = await jsonOf("gc")
    assert.sameMembers(
      groups.map((group: { owner: string }) => group.owner),
      ["blobs that no result names", "states that nobody went on from"]
    )
    writeFileSync(join(resume, "e".repeat(64)), "young")
    await distillery(["gc", "--yes"])
    assert.deepStrictEqual([orphan, unknown, state].map(existsSync), [false, true, true])
  }, 30_000)

  it("takes nothing from a run that goes on: neither what it read, nor what it stored", async () => {
    await run(...seed(5), "--to", "prepared")
    await run(...seed(8), "--to", "prepared")
    const going = start(["run", "./toy.ts", ...seed(5), "--set", "teacher.training.epochs=5000"])
    let told = ""
    going.stderr.on("data", (chunk) => {
      told += chunk
    })
    await until(() => told.includes("teacher: epoch"))
    age(30, filesIn("manifests"))
    age(30, filesIn("blobs"))
    const during = await jsonOf("gc", "--keep-runs", "0", "--older-than", "0d", "--yes")
    assert.strictEqual(during.numOpenRuns, 1)
    const ended = new Promise((resolve) => going.on("close", resolve))
    going.kill("SIGTERM")
    assert.strictEqual(await ended, 143)
    assert.strictEqual(await pending(...seed(5), "--to", "prepared"), 0)
    const after = await jsonOf("gc", "--keep-runs", "0", "--older-than", "0d", "--yes")
    assert.strictEqual(after.numOpenRuns, 0)
    assert.strictEqual(await pending(...seed(5), "--to", "prepared"), 2)
    assert.strictEqual(await pending(), 0)
  }, 60_000)

  it("sweeping beside runs that publish leaves a store that is sound", async () => {
    age(30, filesIn(""))
    const runs = [6, 7].map((value) => distillery(["run", "./toy.ts", "--quiet", ...seed(value)]))
    const sweeps = [1, 2].map(() => distillery(["gc", "--keep-runs", "0", "--older-than", "0d", "--yes"]))
    for (const { code, stderr } of await Promise.all(runs)) assert.strictEqual(code, 0, stderr)
    for (const { code, stderr } of await Promise.all(sweeps)) {
      if (code !== 0) assert.match(stderr, /^error: Another gc sweeps this store, on \S+ \(pid \d+\) since /)
    }
    assert.strictEqual((await distillery(["verify"])).code, 0)
    assert.strictEqual(await pending(...seed(7)), 0)
  }, 60_000)

  it("a time that is none is a mistake of usage", async () => {
    const { code, stderr } = await distillery(["gc", "--older-than", "yesterday"])
    assert.strictEqual(code, 2)
    assert.match(stderr, /^error: --older-than: "yesterday" is no time\n {2}Write days or hours: 14d, 12h\n/)
  })
})

describe("verify", () => {
  const blobFiles = (): ReadonlyArray<string> => {
    const found = filesIn("blobs")
    const { blobs } = JSON.parse(readFileSync(join(project, "shown.json"), "utf8"))
    const hex = blobs[0].blob.slice("sha256:".length)
    const first = join(objects, "blobs", "sha256", hex.slice(0, 2), hex.slice(2))
    return [first, ...found.filter((file) => file !== first)]
  }
  const damage = (): string => {
    const file = blobFiles()[0]!
    const bytes = readFileSync(file)
    bytes[10]! ^= 1
    writeFileSync(file, bytes)
    return file
  }
  const remember = async () =>
    writeFileSync(join(project, "shown.json"), JSON.stringify(await jsonOf("show", "toy/teacher")))

  it("finds one flipped bit, says whose it is, and repairs so that the job runs again", async () => {
    await run()
    await remember()
    const file = damage()
    const found = await distillery(["verify"])
    assert.strictEqual(found.code, 4)
    assert.match(
      found.stdout,
      /^damaged {2}blobs\/sha256\/.*\n {2}it holds other bytes than its name says .*\n {2}of toy\/teacher\n/
    )
    assert.include(found.stdout, "npx distillery verify --repair")
    assert.strictEqual((await jsonOf("verify")).damage.length, 1)
    const repaired = await distillery(["verify", "--repair"])
    assert.strictEqual(repaired.code, 0, repaired.stdout)
    assert.isFalse(existsSync(file))
    assert.strictEqual((await distillery(["verify"])).code, 0)
    assert.isAbove(await pending(), 0)
    await run()
    assert.strictEqual(
      createHash("sha256").update(readFileSync(file)).digest("hex").slice(2),
      file.slice(-62)
    )
    assert.strictEqual((await distillery(["verify"])).code, 0)
  }, 60_000)

  it("finds manifests that are torn, and blobs that are gone", async () => {
    const [manifest] = filesIn("manifests")
    writeFileSync(manifest!, readFileSync(manifest!, "utf8").slice(0, 100))
    rmSync(damage())
    const { code, stdout } = await distillery(["verify"])
    assert.strictEqual(code, 4)
    assert.match(stdout, /^damaged {2}manifests\/.*\n {2}its manifest is unreadable\n/m)
    assert.match(
      stdout,
      /^damaged {2}manifests\/.*\n {2}its blob sha256:[0-9a-f]+ is missing\n {2}of toy\/teacher$/m
    )
    assert.strictEqual((await distillery(["verify", "--repair"])).code, 0)
    assert.strictEqual((await distillery(["verify"])).code, 0)
  }, 30_000)

  it("heals from another store and from the trash, and sets aside what neither has", async () => {
    await run()
    await remember()
    const backup = join(project, "backup")
    cpSync(join(project, ".distillery", "store"), backup, { recursive: true })
    const flipped = damage()
    const { manifests, gone } = { manifests: filesIn("manifests"), gone: blobFiles()[1]! }
    const [torn] = manifests
    writeFileSync(torn!, readFileSync(torn!, "utf8").slice(0, 100))
    rmSync(gone)
    const healed = await jsonOf("verify", "--from", backup)
    assert.deepStrictEqual([healed.healed.length, healed.quarantined], [3, []])
    assert.strictEqual((await distillery(["verify"])).code, 0)
    assert.strictEqual(await pending(), 0)
    mkdirSync(dirname(join(objects, "trash", relative(objects, gone))), { recursive: true })
    renameSync(gone, join(objects, "trash", relative(objects, gone)))
    assert.strictEqual((await distillery(["verify"])).code, 4)
    assert.match((await distillery(["verify", "--repair"])).stdout, /^1 objects were healed/m)
    // A copy that is damaged, too, heals nothing.
    for (const file of [flipped, join(backup, "objects", relative(objects, flipped))]) {
      writeFileSync(file, readFileSync(file).fill(3))
    }
    const left = await jsonOf("verify", "--from", backup)
    assert.isEmpty(left.healed)
    assert.include(left.quarantined, relative(objects, flipped))
    assert.isTrue(existsSync(join(objects, "quarantine", relative(objects, flipped))))
    assert.isAbove(await pending(), 0)
    await run()
    assert.strictEqual((await distillery(["verify"])).code, 0)
  }, 60_000)

  it("reads a part of the blobs where it is told so", async () => {
    const all = (await jsonOf("verify")).numBlobs
    const samples = await Promise.all([1, 2, 3, 4].map(() => jsonOf("verify", "--sample", "40")))
    const read = samples.map(({ numBlobs }) => numBlobs)
    assert.isBelow(Math.min(...read), all)
    assert.isTrue(read.every((count) => count <= all))
    age(30, filesIn("blobs"))
    assert.strictEqual((await jsonOf("verify", "--since", "1d")).numBlobs, 0)
    assert.strictEqual((await distillery(["verify", "--since", "soon"])).code, 2)
    const wrong = await distillery(["verify", "--from", "gs://bucket"])
    assert.deepStrictEqual(
      [wrong.code, /"gs:\/\/bucket" is no store: stores of the kind "gs:"/.test(wrong.stderr)],
      [2, true]
    )
    const absent = join(project, "mistyped")
    const nothing = await distillery(["verify", "--from", absent])
    assert.deepStrictEqual([nothing.code, existsSync(absent)], [2, false], nothing.stderr)
    assert.match(nothing.stderr, /^error: there is no store in .*mistyped\n {2}Name the folder/)
  }, 60_000)

  it("an empty store is sound", async () => {
    const environment = { DISTILLERY_STORE: join(project, "empty") }
    const { code, stdout } = await distillery(["verify"], { environment })
    assert.strictEqual(code, 0)
    assert.match(stdout, /^ok {2}0 results and 0 blobs/)
    assert.match((await distillery(["gc"], { environment })).stdout, /^Nothing to remove/)
  })
})
