/** The workflow for GitHub Actions, parsed back. */
import { assert, describe, it } from "@effect/vitest"
import { parse } from "yaml"
import { githubWorkflow, type WorkflowOptions } from "../../../infra/schedule/githubWorkflow.ts"
import { scheduleOf } from "../../support/memorySchedules.ts"

const nightly = {
  ...scheduleOf("nightly", "30 2 * * mon-fri", "Europe/Berlin", 0),
  set: ["student.temperature=8", `report.title=it's \${{ 50% }}`]
}
const local: WorkflowOptions = { localZone: "Asia/Tokyo", environment: {} }

interface Step {
  readonly name?: string
  readonly uses?: string
  readonly run?: string
  readonly if?: string
  readonly with?: { readonly [name: string]: unknown }
}

const stepsOf = (text: string): ReadonlyArray<Step> => parse(text).jobs.run.steps

describe("a workflow", () => {
  const text = githubWorkflow(nightly, local)
  const workflow = parse(text)

  it("starts on schedule, in the schedule's zone, and by hand; one at a time, with few rights", () => {
    assert.deepStrictEqual(workflow.on, {
      schedule: [{ cron: "30 2 * * 1-5", timezone: "Europe/Berlin" }],
      workflow_dispatch: {}
    })
    assert.deepStrictEqual(workflow.permissions, { contents: "read" })
    assert.deepStrictEqual(workflow.concurrency, { group: "distillery-nightly", "cancel-in-progress": false })
    assert.deepStrictEqual(Object.keys(workflow.jobs), ["run"])
  })

  it("installs, plans and runs; its blocks are whole lines of a shell", () => {
    const set = `--set student.temperature=8 --set 'report.title=it'"'"'s \${{ '$' }}{{ 50% }}'`
    assert.deepStrictEqual(
      stepsOf(text).flatMap(({ run }) => run ?? []),
      [
        "npm ci",
        "npm run prepare --if-present",
        `npx distillery plan quickstart ${set}`,
        `npx distillery run quickstart ${set} --json > run.json`
      ]
    )
  })

  it("caches packages, the native runtime and the artifacts, and keeps what a failed run has made", () => {
    const steps = stepsOf(text)
    const caches = steps.filter(({ uses }) => uses?.startsWith("actions/cache"))
    assert.deepStrictEqual(
      caches.map((step) => [step.uses, step.with?.path, step.if]),
      [
        ["actions/cache@v5", "node_modules", undefined],
        ["actions/cache@v5", "~/.cache/distillery", undefined],
        [
          "actions/cache/restore@v5",
          ".distillery/store\n.distillery/code\n~/.config/distillery\n",
          undefined
        ],
        ["actions/cache/save@v5", ".distillery/store\n.distillery/code\n~/.config/distillery\n", "always()"]
      ]
    )
    for (const { with: given } of caches.slice(0, 2)) {
      assert.include(String(given?.key), `\${{ hashFiles('package-lock.json') }}`)
    }
    // A cache is never written over: every attempt saves under a key of its own and restores the latest.
    assert.include(String(caches[2]?.with?.key), `\${{ github.run_id }}-\${{ github.run_attempt }}`)
    assert.strictEqual(caches[2]?.with?.key, caches[3]?.with?.key)
    assert.isTrue(String(caches[2]?.with?.key).startsWith(String(caches[2]?.with?.["restore-keys"])))
    const names = steps.map(({ name }) => name ?? "")
    assert.isBelow(names.indexOf("Restore the artifacts"), names.indexOf("Plan"))
    assert.isBelow(names.indexOf("Run"), names.indexOf("Keep the artifacts"))
  })

  it("uploads the report, which lies in a hidden folder, also of a run that failed", () => {
    const upload = stepsOf(text).find(({ uses }) => uses?.startsWith("actions/upload-artifact"))
    assert.strictEqual(upload?.if, "!cancelled()")
    assert.deepInclude(upload?.with, {
      path: "run.json\n.distillery/reports\n",
      "include-hidden-files": true
    })
  })

  it("of a schedule without a zone keeps the machine's, and says so; UTC is GitHub's own", () => {
    const { timezone: _, ...floating } = nightly
    const made = githubWorkflow(floating, local)
    assert.strictEqual(parse(made).on.schedule[0].timezone, "Asia/Tokyo")
    assert.match(made, /^# The schedule names no time zone: .*, Asia\/Tokyo\.$/m)
    const utc = parse(githubWorkflow({ ...floating, timezone: "UTC" }, local))
    assert.deepStrictEqual(utc.on.schedule, [{ cron: "30 2 * * 1-5" }])
  })

  it("with a bucket takes the keys from the repository's secrets, and caches no artifacts", () => {
    const made = githubWorkflow(nightly, {
      ...local,
      bucket: "s3://bucket/prefix",
      environment: { AWS_REGION: "eu-central-1" }
    })
    assert.deepStrictEqual(parse(made).jobs.run.env, {
      DISTILLERY_STORE: "s3://bucket/prefix",
      AWS_REGION: "eu-central-1",
      AWS_ACCESS_KEY_ID: `\${{ secrets.AWS_ACCESS_KEY_ID }}`,
      AWS_SECRET_ACCESS_KEY: `\${{ secrets.AWS_SECRET_ACCESS_KEY }}`,
      DISTILLERY_KEY: `\${{ secrets.DISTILLERY_KEY }}`
    })
    assert.notInclude(made, ".distillery/store")
  })
})
