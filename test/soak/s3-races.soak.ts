/** A hundred processes at one key on S3, and twenty owners killed elsewhere: what npm test does in small. */
import { spawnSync } from "node:child_process"
import { writeSync } from "node:fs"
import { join } from "node:path"
import { afterAll, assert, describe, it } from "vitest"
import { built } from "../infra/cli/builtProgram.ts"
import { minioMissing, startMinio } from "../support/minio.ts"
import type { S3TestServer } from "../support/s3Process.ts"
import { killOwner, letGo, race, startElsewhere } from "../support/sharedRuns.ts"
import { makeUserProject } from "../support/userProject.ts"
import { startVersitygw, versitygwMissing } from "../support/versitygw.ts"

const versitygw = versitygwMissing ? undefined : await startVersitygw()
const minio = minioMissing ? undefined : await startMinio()
const programFile = join(built, "main.js")
const project = makeUserProject(programFile)
afterAll(() => letGo(project))
const canUnshare = spawnSync("unshare", ["--pid", "--fork", "--mount-proc", "true"]).status === 0
const leaseSeconds = 5

const environmentOn = ({ bucket, environment }: S3TestServer, prefix: string) => ({
  ...environment,
  AWS_EC2_METADATA_DISABLED: "true",
  DISTILLERY_STORE: `s3://${bucket}/${prefix}`,
  DISTILLERY_LEASE_SECONDS: String(leaseSeconds)
})

const racesOn = (server: S3TestServer | undefined) => {
  it("a hundred processes compute one key once, and all end well", async () => {
    const started = performance.now()
    await race(project, { ...environmentOn(server!, "race"), DISTILLERY_LEASE_SECONDS: "30" }, 100)
    writeSync(1, `100 of 100 in ${Math.round((performance.now() - started) / 1000)} s\n`)
  }, 1_200_000)

  it.skipIf(!canUnshare)(
    "twenty owners elsewhere are taken over within twice their lease",
    async () => {
      const tookMillis: Array<number> = []
      for (let i = 0; i < 20; i++) {
        const environment = environmentOn(server!, `takeover-${i}`)
        const start = () => startElsewhere(project, programFile, environment)
        tookMillis.push(Math.round(await killOwner(project, start, environment)))
      }
      writeSync(1, `taken over after ${tookMillis.sort((a, b) => a - b).join(", ")} ms\n`)
      assert.isBelow(Math.max(...tookMillis), 2 * leaseSeconds * 1000)
    },
    1_200_000
  )
}

describe.skipIf(versitygw === undefined)("versitygw", () => racesOn(versitygw))
describe.skipIf(minio === undefined)("MinIO", () => racesOn(minio))
