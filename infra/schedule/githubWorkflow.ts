/**
 * A schedule as a workflow of GitHub Actions. Its `run` blocks are plain shell and do the same anywhere; the
 * summary and the annotations are made by `distillery run` itself.
 */
import { Document } from "yaml"
import { runArguments } from "./childRuns.ts"
import { portableFields } from "./portableCron.ts"
import type { Schedule } from "./ScheduleBook.ts"
import { shellWord } from "./shellQuoting.ts"

export interface WorkflowOptions {
  /** The machine's zone, for a schedule that names none. */
  readonly localZone: string
  /** `s3://…`: artifacts go there; absent: they are kept in GitHub's cache. */
  readonly bucket?: string
  /** Variables for the store: no secrets, no paths of this machine. */
  readonly environment: { readonly [name: string]: string }
}

const expression = (text: string): string => `\${{ ${text} }}`

/** Text in which GitHub finds no expression. */
const literal = (text: string): string => text.replaceAll(/\$(?=\{\{)/g, () => expression("'$'"))

const lockFile = expression("hashFiles('package-lock.json')")
const machine = `${expression("runner.os")}-${expression("runner.arch")}`

const modules = {
  name: "Restore node_modules",
  id: "modules",
  uses: "actions/cache@v5",
  with: { path: "node_modules", key: `modules-${machine}-${lockFile}` }
}

const nativeRuntime = {
  name: "Restore the native runtime and fetched data",
  uses: "actions/cache@v5",
  with: {
    path: "~/.cache/distillery",
    key: `distillery-${machine}-${lockFile}`,
    "restore-keys": `distillery-${machine}-`
  }
}

/**
 * Saved whatever becomes of the run: jobs that have finished are hits the next time. The key that signs them
 * lies with them: nobody else trusts it.
 */
const storeSteps = (name: string) => {
  const key = `store-${name}-${machine}-`
  const unique = `${key}${expression("github.run_id")}-${expression("github.run_attempt")}`
  const path = ".distillery/store\n.distillery/code\n~/.config/distillery\n"
  return {
    restore: {
      name: "Restore the artifacts",
      uses: "actions/cache/restore@v5",
      with: { path, key: unique, "restore-keys": key }
    },
    save: {
      name: "Keep the artifacts",
      if: "always()",
      uses: "actions/cache/save@v5",
      with: { path, key: unique }
    }
  }
}

const secretsOfS3 = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "DISTILLERY_KEY"]

const storeEnvironment = (bucket: string, environment: WorkflowOptions["environment"]) => ({
  DISTILLERY_STORE: bucket,
  ...environment,
  ...Object.fromEntries(secretsOfS3.map((name) => [name, expression(`secrets.${name}`)]))
})

const steps = (schedule: Schedule, bucket: string | undefined): ReadonlyArray<object> => {
  const [, ...selected] = runArguments(schedule).map(shellWord).map(literal)
  const store = bucket === undefined ? storeSteps(schedule.name) : undefined
  return [
    { uses: "actions/checkout@v6", with: { "persist-credentials": false } },
    { uses: "actions/setup-node@v6", with: { "node-version": 24, cache: "npm" } },
    modules,
    { name: "Install", if: "steps.modules.outputs.cache-hit != 'true'", run: "npm ci" },
    { name: "Build", run: "npm run prepare --if-present" },
    nativeRuntime,
    ...(store === undefined ? [] : [store.restore]),
    { name: "Plan", run: `npx distillery plan ${selected.join(" ")}` },
    { name: "Run", run: `npx distillery run ${selected.join(" ")} --json > run.json` },
    ...(store === undefined ? [] : [store.save]),
    {
      name: "Upload the report",
      if: "!cancelled()",
      uses: "actions/upload-artifact@v7",
      with: {
        name: `report-${schedule.name}`,
        path: "run.json\n.distillery/reports\n",
        "include-hidden-files": true,
        "if-no-files-found": "ignore"
      }
    }
  ]
}

const comment = (schedule: Schedule, { bucket, localZone }: WorkflowOptions): string =>
  [
    ` Made by: npx distillery schedule export github ${schedule.name}`,
    "",
    " GitHub starts scheduled workflows of the default branch only, not more often than every five minutes,",
    " and late when many are due: at the full hour most of all.",
    ...(schedule.timezone === undefined
      ? [` The schedule names no time zone: it keeps that of the machine it was exported on, ${localZone}.`]
      : []),
    ...(bucket === undefined
      ? [
          " Artifacts lie in GitHub's cache (10 GB). To keep them in a bucket, export again with",
          " DISTILLERY_STORE=s3://bucket/prefix."
        ]
      : [
          ` Artifacts lie in the bucket. The repository needs the secrets ${secretsOfS3.join(", ")}.`,
          " The last signs what is made here, so that it counts the next time; to make one:",
          " npx distillery key new | gh secret set DISTILLERY_KEY",
          " Pull requests get a key, a scope and a policy of their own: see infra/deploy in the package."
        ])
  ].join("\n")

/** UTC is what GitHub takes without a word. */
const triggerOf = (schedule: Schedule, localZone: string) => {
  const timezone = schedule.timezone ?? localZone
  const cron = portableFields(schedule.cron, schedule.timetable).join(" ")
  return /^(Etc\/)?(UTC|GMT)$/.test(timezone) ? { cron } : { cron, timezone }
}

/** The file's content, YAML. */
export const githubWorkflow = (schedule: Schedule, options: WorkflowOptions): string => {
  const { bucket, environment, localZone } = options
  const document = new Document({
    name: `distillery ${schedule.name}`,
    on: { schedule: [triggerOf(schedule, localZone)], workflow_dispatch: {} },
    permissions: { contents: "read" },
    concurrency: { group: `distillery-${schedule.name}`, "cancel-in-progress": false },
    jobs: {
      run: {
        "runs-on": "ubuntu-latest",
        "timeout-minutes": 350,
        defaults: { run: { shell: "bash" } },
        ...(bucket !== undefined && { env: storeEnvironment(bucket, environment) }),
        steps: steps(schedule, bucket)
      }
    }
  })
  document.commentBefore = comment(schedule, options)
  return document.toString({ lineWidth: 0 })
}
