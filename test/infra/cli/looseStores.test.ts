/** Servers that decide no conditional writes, or only when nobody races; a clock that is off. */
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { type LooseS3, startLooseS3 } from "../../support/looseS3.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"
import { distillery, project } from "./builtProgram.ts"

const [ignoring, refusing, racy, sound] = [
  await startLooseS3({ conditions: "ignored" }),
  await startLooseS3({ conditions: "refused" }),
  await startLooseS3({ conditions: "racy" }),
  await startLooseS3({ aheadMillis: 300_000 })
]

const home = temporaryFolder()
const called = (server: LooseS3, ...args: ReadonlyArray<string>) =>
  distillery(args, {
    environment: {
      HOME: home,
      DISTILLERY_CACHE: join(project, "cache"),
      DISTILLERY_STORE: `s3://${server.bucket}/prefix`,
      AWS_EC2_METADATA_DISABLED: "true",
      ...server.environment
    }
  })

interface Check {
  readonly name: string
  readonly state: string
  readonly text: string
}

const checksOf = async (server: LooseS3): Promise<ReadonlyArray<Check>> =>
  JSON.parse((await called(server, "doctor", "--json")).stdout).checks

const check = (checks: ReadonlyArray<Check>, name: string): Check =>
  checks.find((one) => one.name === name) ?? assert.fail(`no check ${name}`)

const format = ({ objects }: LooseS3): string => objects.get("prefix/format.json")!.bytes.toString()

describe("a server without conditional writes", () => {
  it.each([
    ["that ignores them", ignoring, /both of two writers at once were told that they had won/],
    ["that refuses them", refusing, /refuses conditional writes/]
  ] as const)(
    "%s is found, and what is lost is said",
    async (_, server, problem) => {
      const checks = await checksOf(server)
      assert.strictEqual(check(checks, "store").state, "warn")
      assert.match(check(checks, "store").text, /decides no conditional writes/)
      assert.strictEqual(check(checks, "store races").state, "warn")
      assert.match(check(checks, "store races").text, problem)
      assert.strictEqual(check(checks, "store transfer").state, "ok")
      const left = [...server.objects.keys()]
      assert.deepStrictEqual(left, ["prefix/format.json"])
    },
    60_000
  )

  it.each([
    ["that ignores them", ignoring],
    ["that refuses them", refusing]
  ] as const)(
    "%s serves runs, also at once, which say so once; sweeping waits for none to go on",
    async (_, server) => {
      const runs = await Promise.all([1, 2].map(() => called(server, "run", "./toy.ts")))
      for (const { code, stderr } of runs) {
        assert.strictEqual(code, 0, stderr)
        assert.lengthOf(stderr.match(/decides no conditional writes/g) ?? [], 1)
      }
      assert.strictEqual(JSON.parse((await called(server, "plan", "./toy.ts", "--json")).stdout).pending, 0)
      assert.isEmpty([...server.objects.keys()].filter((key) => key.includes("/leases/")))
      const record = [...server.objects].find(([key]) => key.includes("/runs/"))!
      const open = {
        schemaVersion: 1,
        owner: { host: "elsewhere", pid: 1, runId: "other", incarnation: "elsewhere" },
        startedAt: new Date().toISOString(),
        keys: []
      }
      const bytes = Buffer.from(JSON.stringify(open))
      server.objects.set("prefix/objects/running/other.json", { ...record[1], bytes, modified: new Date() })
      const { code, stderr } = await called(server, "gc", "--yes")
      assert.strictEqual(code, 2, stderr)
      assert.match(stderr, /1 runs go on, and the store at .* decides no conditional writes/)
      server.objects.delete("prefix/objects/running/other.json")
      assert.strictEqual((await called(server, "gc", "--yes")).code, 0)
    },
    60_000
  )
})

describe("a server that decides conditions only when nobody races", () => {
  it("is found by a race alone, noted in the store, and then used without leases", async () => {
    const checks = await checksOf(racy)
    assert.strictEqual(check(checks, "store races").state, "warn")
    assert.match(format(racy), /"conditionalWrites":false/)
    const { code, stderr } = await called(racy, "run", "./toy.ts")
    assert.strictEqual(code, 0, stderr)
    assert.match(stderr, /decides no conditional writes/)
  }, 60_000)
})

describe("a server that is sound but for its clock", () => {
  it("is told of, and an earlier note against it is taken back", async () => {
    await called(sound, "plan", "./toy.ts")
    const written = sound.objects.get("prefix/format.json")!
    const bytes = Buffer.from(format(sound).replace("}", ',"conditionalWrites":false}'))
    sound.objects.set("prefix/format.json", { ...written, bytes })
    const checks = await checksOf(sound)
    assert.strictEqual(check(checks, "store clock").state, "warn")
    assert.match(check(checks, "store clock").text, /^the store's clock is (5:00|4:59|300 s|299 s) ahead$/)
    assert.match(check(checks, "store races").text, /^two writers raced 90 times/)
    assert.notInclude(format(sound), "conditionalWrites")
  }, 60_000)
})
