/** Lines for crontabs: what they run, when, and with which variables. */
import { execFileSync } from "node:child_process"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { type CrontabOptions, crontabLines } from "../../../infra/schedule/crontab.ts"
import type { Schedule } from "../../../infra/schedule/ScheduleBook.ts"
import { localZone } from "../../../infra/schedule/Timetable.ts"
import { scheduleOf } from "../../support/memorySchedules.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"

const machine = localZone().id
const options: CrontabOptions = {
  projectDir: "/home/me/project",
  nodeFile: "/opt/node",
  programFile: "/opt/main.js",
  environment: {},
  nowMillis: Date.parse("2026-06-01T00:00Z")
}

const linesOf = (schedules: ReadonlyArray<Schedule>, changes: Partial<CrontabOptions> = {}) =>
  Result.getOrThrow(crontabLines(schedules, { ...options, ...changes }))

const commandsOf = (lines: ReadonlyArray<string>) =>
  lines.filter((line) => line !== "" && !line.startsWith("#"))

const daily = scheduleOf("nightly", "30 2 * * 1,Sun", machine, 0)

describe("a line", () => {
  it("goes to the project, runs what is due by absolute paths, and appends to the log", () =>
    assert.deepStrictEqual(commandsOf(linesOf([daily])), [
      "30 2 * * 0,1 cd /home/me/project && mkdir -p .distillery/logs && /opt/node /opt/main.js " +
        "scheduler --once nightly >> .distillery/logs/nightly.log 2>&1"
    ]))

  it("keeps stars, on which the meaning of the two day fields hangs", () => {
    const fields = (cron: string) =>
      commandsOf(linesOf([scheduleOf("x", cron, machine, 0)]))[0]!.split(" cd ")[0]
    assert.strictEqual(fields("*/5 8-17/3 */2 * mon"), "*/5 8-17/3 */2 * 1")
    assert.strictEqual(fields("@daily"), "0 0 * * *")
    assert.strictEqual(fields("5/20 0 1 jan,feb 7"), "5-45/20 0 1 1,2 0")
  })

  it("of a zone with another clock looks every hour, at all minutes that may be meant", () => {
    const eucla = linesOf([scheduleOf("x", "0,30 2 * * *", "Australia/Eucla", 0)])
    assert.match(commandsOf(eucla)[0]!, /^15,45 \* \* \* \* cd /)
    assert.include(eucla.join("\n"), "looks every hour whether a slot of Australia/Eucla has come")
    // Half an hour of daylight saving: both minutes, whatever the season.
    const lordHowe = linesOf([scheduleOf("x", "10 2 * * *", "Australia/Lord_Howe", 0)])
    assert.match(commandsOf(lordHowe)[0]!, /^10,40 \* \* \* \* cd /)
  })
})

describe("the environment", () => {
  const environment = {
    DISTILLERY_STORE: "s3://bucket/a b",
    AWS_REGION: "eu-central-1",
    AWS_SECRET_ACCESS_KEY: "hush",
    AWS_ACCESS_KEY_ID: "hush",
    AWS_SHARED_CREDENTIALS_FILE: "/keys",
    DISTILLERY_SIGNING_KEY: "hush",
    HTTPS_PROXY: "http://me:hush@proxy",
    NO_PROXY: "",
    EDITOR: "vi"
  }

  it("has our variables and AWS's in it, and no secret", () => {
    const lines = linesOf([daily], { environment })
    const [command] = commandsOf(lines)
    assert.include(
      command,
      "&& AWS_REGION=eu-central-1 AWS_SHARED_CREDENTIALS_FILE=/keys " +
        "DISTILLERY_STORE='s3://bucket/a b' /opt/node"
    )
    assert.notInclude(lines.join("\n"), "hush")
    assert.notInclude(lines.join("\n"), "EDITOR")
    assert.include(
      lines.join("\n"),
      "left out: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, DISTILLERY_SIGNING_KEY, HTTPS_PROXY."
    )
  })
})

describe("what would break a line", () => {
  it("is refused: backslashes, line breaks, and commands that are too long for cron", () => {
    const reason = (changes: Partial<CrontabOptions>): string => {
      const refused = crontabLines([daily], { ...options, ...changes })
      return Result.isFailure(refused) ? refused.failure.what : ""
    }
    assert.match(reason({ projectDir: "/a\\b" }), /backslash/)
    assert.match(reason({ environment: { DISTILLERY_STORE: "a\nb" } }), /line break/)
    assert.match(reason({ projectDir: `/${"a".repeat(900)}` }), /"nightly" would be 1\d\d\d characters long/)
  })

  it("cannot leave a comment", () => {
    const odd = { ...daily, set: ["a.b=1\n* * * * * rm -rf /"] }
    assert.lengthOf(commandsOf(linesOf([odd])), 1)
  })

  it("is quoted so that a shell gets it whole, once cron has taken the backslash from each %", () => {
    const projectDir = join(temporaryFolder(), `it's 100% $HOME "odd" & more`)
    mkdirSync(projectDir)
    const programFile = join(projectDir, "program's.mjs")
    writeFileSync(
      programFile,
      "console.log(JSON.stringify([process.argv.slice(2), process.cwd(), process.env.DISTILLERY_STORE]))"
    )
    const [line] = commandsOf(
      linesOf([daily], {
        projectDir,
        programFile,
        nodeFile: process.execPath,
        environment: { DISTILLERY_STORE: "50% `off`; $1" }
      })
    )
    assert.notMatch(line!, /(?<!\\)%/)
    const command = line!.replaceAll("\\%", "%").split(" ").slice(5).join(" ")
    execFileSync("/bin/sh", ["-c", command], { cwd: "/", env: { PATH: "/usr/bin:/bin" } })
    assert.deepStrictEqual(
      JSON.parse(readFileSync(join(projectDir, ".distillery/logs/nightly.log"), "utf8")),
      [["scheduler", "--once", "nightly"], projectDir, "50% `off`; $1"]
    )
  })
})
