/** Results carried between a folder and a bucket, through the program as people call it. */
import { once } from "node:events"
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync
} from "node:fs"
import { dirname, join } from "node:path"
import { assert, beforeAll, describe, it } from "vitest"
import { type FaultyProxy, startFaultyProxy } from "../../support/faultyProxy.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"
import { skipNote, startVersitygw, versitygwMissing } from "../../support/versitygw.ts"
import { distillery, project, start } from "./builtProgram.ts"

const server = versitygwMissing ? undefined : await startVersitygw()
const proxy = (server === undefined ? undefined : await startFaultyProxy(server.url)) as FaultyProxy

const environment = {
  HOME: temporaryFolder(),
  DISTILLERY_CACHE: join(project, "cache"),
  AWS_EC2_METADATA_DISABLED: "true",
  ...server?.environment
}
const team = `s3://${server?.bucket}/team`
const local = join(project, ".distillery", "store")
/** A colleague, who has the same pipelines and nothing else. */
const elsewhere = temporaryFolder()

const called = (args: ReadonlyArray<string>, more: Record<string, string> = {}, folder = project) =>
  distillery(args, { environment: { ...environment, ...more }, folder })

const json = async (args: ReadonlyArray<string>, more: Record<string, string> = {}, folder = project) => {
  const { stderr, stdout } = await called([...args, "--json"], more, folder)
  assert.isNotEmpty(stdout, stderr)
  return JSON.parse(stdout)
}

const filesIn = (folder: string): ReadonlyArray<string> =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => statSync(join(folder, name)).isFile())
    .sort()

/** Manifests and blobs, which are the same in every store. */
const shared = (store: string): ReadonlyArray<string> =>
  filesIn(join(store, "objects")).filter((name) => /^(manifests|blobs)/.test(name))

const newStore = (): string => join(temporaryFolder(), "store")

beforeAll(async () => {
  const run = await called(["run", "./toy.ts", "--quiet"])
  assert.strictEqual(run.code, 0, run.stderr)
}, 60_000)

describe("copy between folders", () => {
  it("copies bytes as they are, then nothing", async () => {
    const to = newStore()
    const shown = await json(["copy", local, to, "--dry-run"])
    assert.deepInclude(shown, { results: 4, dryRun: true, alreadyThere: 0 })
    assert.deepStrictEqual(shared(to), [])
    const first = await called(["copy", local, to])
    assert.strictEqual(first.code, 0, first.stderr)
    assert.match(first.stdout, /^Copied 4 results \(\d+ blobs, .*B\) to /)
    assert.deepStrictEqual(shared(to), shared(local))
    for (const name of shared(local)) {
      assert.isTrue(
        readFileSync(join(local, "objects", name)).equals(readFileSync(join(to, "objects", name))),
        name
      )
    }
    assert.deepInclude(await json(["copy", local, to]), { results: 0, blobs: 0, alreadyThere: 4 })
    assert.strictEqual((await json(["plan", "./toy.ts"], { DISTILLERY_STORE: to })).pending, 0)
    assert.isEmpty(filesIn(join(to, "objects", "running")))
  }, 30_000)

  it("brings one result with what it was made from, or alone", async () => {
    assert.deepInclude(await json(["copy", local, newStore(), "toy/teacher"]), { results: 3 })
    assert.deepInclude(await json(["copy", local, newStore(), "teacher", "--alone"]), { results: 1 })
    assert.deepInclude(await json(["copy", local, newStore(), "latest"]), { results: 4 })
    assert.deepInclude(await json(["copy", local, newStore(), "toy"]), { results: 4 })
  }, 30_000)

  it("goes on where it was cut off, and mends what is wanting", async () => {
    const to = newStore()
    await called(["copy", local, to])
    const [blob, manifest] = ["blobs", "manifests"].map((kind) =>
      shared(to).find((name) => name.startsWith(kind))
    ) as [string, string]
    rmSync(join(to, "objects", blob))
    rmSync(join(to, "objects", manifest))
    const again = await json(["copy", local, to])
    assert.isAtLeast(again.results, 1)
    assert.deepStrictEqual(shared(to), shared(local))
  }, 30_000)

  it("never carries what is damaged, says so, and carries the rest", async () => {
    const from = newStore()
    cpSync(local, from, { recursive: true })
    const manifestOf = (job: string): string =>
      shared(from)
        .map((name) => join(from, "objects", name))
        .find((name) => name.endsWith(".json") && readFileSync(name, "utf8").includes(`"job": "${job}"`))!
    const file = manifestOf("teacher-evaluation")
    writeFileSync(file, readFileSync(file, "utf8").replace('"seconds"', '"sec0nds"'))
    const [, hex = ""] = /"blob": "sha256:(\w{64})"/.exec(readFileSync(manifestOf("teacher"), "utf8")) ?? []
    const blob = join(from, "objects", "blobs", "sha256", hex.slice(0, 2), hex.slice(2))
    const bytes = readFileSync(blob)
    bytes[0]! ^= 1
    writeFileSync(blob, bytes)
    const to = newStore()
    const { code, stdout } = await called(["copy", from, to, "--json"])
    assert.strictEqual(code, 4)
    const { refused, results } = JSON.parse(stdout)
    assert.strictEqual(results + refused.length, 4)
    assert.match(JSON.stringify(refused), /changed after it was signed/)
    assert.match(JSON.stringify(refused), /was damaged/)
    const verified = await called(["verify"], { DISTILLERY_STORE: to })
    assert.strictEqual(verified.code, 0, verified.stdout)
  }, 30_000)

  it("says which results count only for those who trust their key", async () => {
    const stranger = { XDG_CONFIG_HOME: temporaryFolder() }
    const to = newStore()
    const { code, stdout } = await called(["copy", local, to], stranger)
    assert.strictEqual(code, 0)
    assert.match(stdout, /^4 do not count here: .*ed25519:/m)
    // Those of one's own take the places of what does not count, and are not replaced by it.
    await called(["run", "./toy.ts", "--quiet"], { ...stranger, DISTILLERY_STORE: to })
    const { alreadyThere, occupied, results } = await json(["copy", local, to], stranger)
    assert.deepStrictEqual([results, alreadyThere, occupied.length], [0, 0, 4])
    assert.strictEqual((await json(["plan", "./toy.ts"], { ...stranger, DISTILLERY_STORE: to })).pending, 0)
    // Whoever does not trust the stranger's puts their own there.
    assert.deepInclude(await json(["copy", local, to]), { results: 4 })
  }, 60_000)

  const wrongs: ReadonlyArray<readonly [string, ReadonlyArray<string>, RegExp]> = [
    ["the same store", ["copy", local, local], /both stores are .*\n.*Nothing is copied/],
    ["no store to copy from", ["pull", "--from", "./nowhere"], /there is no store in .*nowhere/],
    ["no such result", ["push", "toy/techer", "--to", "./x"], /has no pipeline, run or result "toy\/techer"/],
    ["no such run", ["push", "latest~99", "--to", "./x"], /goes too far back/],
    ["another scheme", ["push", "--to", "gs://bucket"], /"gs:\/\/bucket" is no store: stores of the kind/],
    ["no address", ["push", "--to", ""], /is no store: it is empty/],
    ["an unknown name", ["ls", "tpy"], /no pipeline or job "tpy"/]
  ]
  it.each(wrongs)("%s is an error that says what to do", async (_, args, message) => {
    const { code, stderr, stdout } = await called(args)
    assert.deepStrictEqual([code, stdout], [2, ""], stderr)
    assert.match(stderr, message)
    assert.isFalse(existsSync(join(project, "nowhere")))
  })
})

describe("ls and du", () => {
  it("list pipelines, jobs, results and runs", async () => {
    assert.match((await called(["ls"])).stdout, /^toy +4 +4 +.*B +.* main$/m)
    const jobs = (await json(["ls", "toy"])).listed
    const names = jobs.map(({ name }: { readonly name: string }) => name).sort()
    assert.deepStrictEqual(names, ["toy/prepared", "toy/scenes", "toy/teacher", "toy/teacher-evaluation"])
    const [teacher] = (await json(["ls", "toy/teacher"])).listed
    assert.deepInclude(teacher, { scope: "main", stage: "pretrain" })
    const [run] = (await json(["ls", "--runs"])).listed
    assert.deepInclude(run, { pipeline: "toy", status: "ok", jobs: 4 })
  }, 30_000)

  it("count what is shared once, and all of it", async () => {
    const files = filesIn(join(local, "objects"))
    const total = files.reduce((sum, name) => sum + statSync(join(local, "objects", name)).size, 0)
    for (const by of ["pipeline", "job", "scope"]) {
      const { rest, storeBytes, usage } = await json(["du", "--by", by])
      assert.strictEqual(storeBytes, total)
      const own = usage.reduce(
        (sum: number, { ownBytes }: { readonly ownBytes: number }) => sum + ownBytes,
        0
      )
      const all = own + rest.states + rest.unnamedBlobs + rest.setAside + rest.records
      assert.isAtMost(all, total)
      if (by !== "job") assert.strictEqual(all, total)
    }
    assert.match((await called(["du"])).stdout, /what is shared counted once; gc would remove 0 B$/m)
  }, 30_000)
})

describe.skipIf(server === undefined)(`push and pull${skipNote}`, () => {
  it("make one's results hits elsewhere, with nothing sent twice", async () => {
    const pushed = await called(["push", "toy", "--to", team])
    assert.strictEqual(pushed.code, 0, pushed.stderr)
    assert.match(pushed.stdout, /^Copied 4 results .* to s3:\/\//)
    const before = proxy.passed.length
    const again = await json(["push", "toy", "--to", team], { AWS_ENDPOINT_URL: proxy.url })
    assert.deepInclude(again, { results: 0, alreadyThere: 4 })
    const isSent = ({ method, path }: { readonly method: string; readonly path: string }) =>
      method === "PUT" && /\/objects\/(?!running\/)/.test(path)
    assert.deepStrictEqual(proxy.passed.slice(before).filter(isSent), [])
    const pulled = await called(["pull", "toy", "--from", team], {}, elsewhere)
    assert.strictEqual(pulled.code, 0, pulled.stderr)
    assert.deepStrictEqual(shared(join(elsewhere, ".distillery", "store")), shared(local))
    const plan = await json(["plan", join(project, "toy.ts")], {}, elsewhere)
    assert.strictEqual(plan.pending, 0)
    const verified = await called(["verify"], {}, elsewhere)
    assert.strictEqual(verified.code, 0, verified.stdout)
  }, 60_000)

  it("bring a model alone, to predict with", async () => {
    const folder = temporaryFolder()
    const pulled = await json(["pull", "toy/teacher", "--alone", "--from", team], {}, folder)
    assert.deepInclude(pulled, { results: 1 })
    writeFileSync(
      join(folder, "grey.pgm"),
      Buffer.concat([Buffer.from("P5 20 10 255\n"), Buffer.alloc(200, 128)])
    )
    const predicted = await called(["predict", "toy/teacher", "grey.pgm"], {}, folder)
    assert.strictEqual(predicted.code, 0, predicted.stderr)
  }, 30_000)

  it("say that they stopped, and what to do, when they are interrupted; the next goes on", async () => {
    const broken = ["push", "toy", "--to", `s3://${server!.bucket}/broken`]
    let letGo: () => void = () => undefined
    const held = new Promise<undefined>((resolve) => (letGo = () => resolve(undefined)))
    const child = start(broken, { ...environment, AWS_ENDPOINT_URL: proxy.url })
    let stderr = ""
    child.stderr.on("data", (chunk) => (stderr += chunk))
    proxy.fault = ({ method, path }) => {
      if (method !== "PUT" || !path.includes("/blobs/")) return undefined
      child.kill("SIGINT")
      return held
    }
    const [code] = await once(child, "close")
    letGo()
    proxy.fault = () => undefined
    assert.strictEqual(code, 130)
    assert.strictEqual(stderr, "stopped; what was copied stays: the same command copies the rest\n")
    assert.deepInclude(await json(broken), { results: 4, refused: [] })
  }, 30_000)

  it("go on after a copy that was cut off between blobs and manifests", async () => {
    const half = `s3://${server!.bucket}/half`
    await called(["push", "toy", "--to", half])
    const root = join(server!.folder, "half", "objects")
    rmSync(join(root, "manifests"), { recursive: true })
    const again = await json(["push", "toy", "--to", half])
    assert.deepInclude(again, { results: 4, blobs: 0 })
  }, 30_000)

  it("read more objects than one listing tells of", async () => {
    // Only names count: what these hold is opened by nobody who asks for something else.
    const folder = join(server!.folder, "team", "objects", "manifests", "user", "crowd")
    const [manifest] = shared(local).filter((name) => name.startsWith("manifests"))
    for (let nth = 0; nth < 1200; nth++) {
      const hex = nth.toString(16).padStart(64, "0")
      const file = join(folder, hex.slice(0, 2), `${hex.slice(2)}.json`)
      mkdirSync(dirname(file), { recursive: true })
      copyFileSync(join(local, "objects", manifest!), file)
    }
    const to = newStore()
    assert.deepInclude(await json(["copy", team, to, "toy"]), { results: 4, refused: [] })
    const all = await called(["copy", team, newStore(), "--json"])
    assert.strictEqual(all.code, 4)
    assert.lengthOf(JSON.parse(all.stdout).refused, 1200)
  }, 60_000)

  it("say what is wrong with a bucket, by the address that was given", async () => {
    const absent = await called(["push", "--to", "s3://absent/x"])
    assert.strictEqual(absent.code, 2)
    assert.match(absent.stderr, /no bucket "absent"/)
    assert.notMatch(absent.stderr, /DISTILLERY_STORE/)
    const typo = await called(["pull", "--from", `s3://${server!.bucket}/taem`])
    assert.strictEqual(typo.code, 2)
    assert.match(typo.stderr, /there is no store there; correct the address/)
    assert.isFalse(existsSync(join(server!.folder, "taem")))
    const same = await called(["push", "--to", team], { DISTILLERY_STORE: team })
    assert.match(same.stderr, /both stores are s3:/)
  }, 30_000)
})
