/** Runs of the real program that share a store on S3, and one that its store leaves alone for a while. */
import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { afterAll, assert, describe, it } from "vitest"
import { sleep, until } from "../../support/processes.ts"
import {
  hold,
  jobOf,
  killOwner,
  letGo,
  manifestsOf,
  race,
  says,
  startElsewhere,
  startRun,
  twoRuns
} from "../../support/sharedRuns.ts"
import { makeUserProject } from "../../support/userProject.ts"
import { skipNote, startVersitygw, versitygwMissing } from "../../support/versitygw.ts"
import { built } from "./builtProgram.ts"

const server = versitygwMissing ? undefined : await startVersitygw()
const programFile = join(built, "main.js")
const project = makeUserProject(programFile)
afterAll(() => letGo(project))
const canUnshare = spawnSync("unshare", ["--pid", "--fork", "--mount-proc", "true"]).status === 0
const leaseSeconds = 3

let numPrefixes = 0
const fresh = (more: { readonly [name: string]: string } = {}) => {
  const prefix = `sharing/${numPrefixes++}`
  const environment = {
    ...server?.environment,
    AWS_EC2_METADATA_DISABLED: "true",
    DISTILLERY_STORE: `s3://${server?.bucket}/${prefix}`,
    DISTILLERY_LEASE_SECONDS: String(leaseSeconds),
    ...more
  }
  return { prefix, environment }
}

describe.skipIf(server === undefined)(`runs that share a store on S3${skipNote}`, () => {
  it("race, twenty of them, for one key: it is computed once, and all end well", async () => {
    await race(project, fresh().environment, 20)
  }, 120_000)

  it("take over from one that is killed, at once on the same machine", async () => {
    const { environment } = fresh({ DISTILLERY_LEASE_SECONDS: "600" })
    await killOwner(project, () => startRun(project, environment), environment)
  }, 60_000)

  it.skipIf(!canUnshare)(
    "take over from one elsewhere within twice the lease",
    async () => {
      const { environment } = fresh()
      const start = () => startElsewhere(project, programFile, environment)
      assert.isBelow(await killOwner(project, start, environment), 2 * leaseSeconds * 1000)
    },
    60_000
  )

  it("take over from one that is frozen, whose result, once it wakes, is not published", async () => {
    const { environment, prefix } = fresh()
    const { owner, waiting } = await twoRuns(project, () => startRun(project, environment), environment)
    owner.process.kill("SIGSTOP")
    await says(waiting, "taken over from run")
    letGo(project)
    assert.strictEqual(await waiting.ended, 0, waiting.seen.stderr)
    // The frozen one's own process has made the result, too.
    await until(() => project.ran() === "AA")
    const published = await manifestsOf(server!, prefix)
    assert.lengthOf(Object.keys(published), 1)
    owner.process.kill("SIGCONT")
    assert.strictEqual(await owner.ended, 0, owner.seen.stderr)
    assert.include(owner.seen.stderr, "another run took it over")
    assert.strictEqual(jobOf(owner).state, "hit")
    assert.deepStrictEqual(await manifestsOf(server!, prefix), published)
  }, 60_000)
})

describe.skipIf(server === undefined)(
  `a store on S3 that is away while a result is published${skipNote}`,
  () => {
    it("is waited for, and the run says since when", async () => {
      project.clearLog()
      hold(project)
      const run = startRun(project, fresh().environment)
      await says(run, "line: started")
      await server!.kill()
      letGo(project)
      await says(run, "waiting for the store since ")
      assert.match(
        run.seen.stderr,
        /waiting for the store since \d\d:\d\d:\d\d: \S+ does not answer \(ECONNREFUSED\)/
      )
      await server!.restart()
      assert.strictEqual(await run.ended, 0, run.seen.stderr)
      assert.match(run.seen.stderr, /the store is back after \d+ s/)
      assert.deepStrictEqual([project.ran(), jobOf(run).state], ["A", "ran"])
    }, 60_000)

    it("for longer than is borne: the next run publishes what was made", async () => {
      project.clearLog()
      hold(project)
      const { environment, prefix } = fresh({ DISTILLERY_STORE_PATIENCE_SECONDS: "2" })
      const run = startRun(project, environment)
      await says(run, "line: started")
      await server!.kill()
      letGo(project)
      assert.strictEqual(await run.ended, 1, run.seen.stderr)
      assert.match(run.seen.stderr, /is made, but was not published.*ECONNREFUSED.*kept on this machine/s)
      await server!.restart()
      await sleep(500)
      assert.deepStrictEqual(await manifestsOf(server!, prefix), {})
      const next = startRun(project, environment)
      assert.strictEqual(await next.ended, 0, next.seen.stderr)
      assert.deepStrictEqual([project.ran(), jobOf(next).state], ["A", "hit"])
      assert.match(next.seen.stderr, /made by an earlier run .* published now/)
      assert.lengthOf(Object.keys(await manifestsOf(server!, prefix)), 1)
    }, 60_000)
  }
)
