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

const isPullRequest = "github.event_name == 'pull_request'"

/** Neither a pull request nor the default branch sees what the other, or another one, has kept here. */
const scopeOfPullRequest = `pr/${expression("github.event.number")}`

/** What of a store was seen: an earlier result that is put back is none to who remembers the later one. */
const seenFolder = ".distillery/seen"
const attempt = `${expression("github.run_id")}-${expression("github.run_attempt")}`

interface CacheSteps {
  readonly restore: object
  readonly save: object
}

/** Beside a bucket, where whoever can write into that cannot reach it. */
const seenSteps = (name: string): CacheSteps => {
  const key = `seen-${name}-`
  const path = seenFolder
  return {
    restore: {
      name: "Restore what was seen of the bucket",
      uses: "actions/cache/restore@v5",
      with: { path, key: `${key}${attempt}`, "restore-keys": key }
    },
    save: {
      name: "Keep what was seen of the bucket",
      if: "always()",
      uses: "actions/cache/save@v5",
      with: { path, key: `${key}${attempt}` }
    }
  }
}

/**
 * Saved whatever becomes of the run: jobs that have finished are hits the next time. The key that signs them
 * lies with them: nobody else trusts it. GitHub gives a pull request what the default branch has kept, and
 * what the pull request itself has, but no other one's.
 */
const cacheSteps = (name: string): CacheSteps => {
  const key = `store-${name}-${machine}-`
  const unique = `${key}${attempt}`
  const path = `.distillery/store\n.distillery/code\n${seenFolder}\n~/.config/distillery\n`
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
/** Of somebody who reads everything and writes into scopes of pull requests: `infra/deploy`. */
const secretsOfPullRequests = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
const environmentName = "distillery"

const ofMainLine = (bucket: string, environment: WorkflowOptions["environment"]) => ({
  DISTILLERY_STORE: bucket,
  ...environment,
  ...Object.fromEntries(secretsOfS3.map((name) => [name, expression(`secrets.${name}`)]))
})

/** Without secrets, as in a pull request from a fork, it works in a store of its own. */
const ofPullRequest = (bucket: string, environment: WorkflowOptions["environment"]) => ({
  DISTILLERY_STORE: expression(
    `secrets.DISTILLERY_PR_${secretsOfPullRequests[0]} != '' && '${bucket}' || '.distillery/store'`
  ),
  DISTILLERY_SCOPE: scopeOfPullRequest,
  DISTILLERY_TRUST_KEYS: expression("vars.DISTILLERY_TRUST_KEYS"),
  ...environment,
  ...Object.fromEntries(
    secretsOfPullRequests.map((name) => [name, expression(`secrets.DISTILLERY_PR_${name}`)])
  )
})

/** Where a pull request is given no secrets. */
const noticeFor = (bucket: string) => ({
  name: "Say where the artifacts lie",
  if: "env.DISTILLERY_STORE == '.distillery/store'",
  run: `echo ${shellWord(
    `::notice::This pull request is given no credentials for ${bucket}, as it comes from a fork or the ` +
      "secrets are not set: it computes everything itself and keeps it in GitHub's cache."
  )}`
})

/** In GitHub's cache the key of the default branch lies beside its artifacts. */
const trustMain = {
  name: "Let what the default branch has made count",
  if: isPullRequest,
  run: 'echo "DISTILLERY_TRUST_KEYS=$(npx distillery key show)@main" >> "$GITHUB_ENV"'
}

const steps = (
  schedule: Schedule,
  kept: CacheSteps,
  before: ReadonlyArray<object> = []
): ReadonlyArray<object> => {
  const [, ...selected] = runArguments(schedule).map(shellWord).map(literal)
  return [
    { uses: "actions/checkout@v6", with: { "persist-credentials": false } },
    { uses: "actions/setup-node@v6", with: { "node-version": 24, cache: "npm" } },
    modules,
    { name: "Install", if: "steps.modules.outputs.cache-hit != 'true'", run: "npm ci" },
    { name: "Build", run: "npm run prepare --if-present" },
    nativeRuntime,
    kept.restore,
    ...before,
    { name: "Plan", run: `npx distillery plan ${selected.join(" ")}` },
    { name: "Run", run: `npx distillery run ${selected.join(" ")} --json > run.json` },
    kept.save,
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

const bucketComment = [
  " Artifacts lie in the bucket. Into the repository's environment",
  ` "${environmentName}", which only the default branch may use, belong the secrets`,
  ` ${secretsOfS3.join(", ")}.`,
  " The last signs what is made here, so that it counts the next time; to make one:",
  ` npx distillery key new | gh secret set DISTILLERY_KEY --env ${environmentName}`,
  "",
  " A pull request writes into a scope of its own, pr/<number>, by a key of its own, which",
  " GitHub's cache keeps for it. It reads what the default branch has made where the variable",
  " DISTILLERY_TRUST_KEYS holds that one's public key, and the repository's secrets",
  ` ${secretsOfPullRequests.map((name) => `DISTILLERY_PR_${name}`).join(", ")} are of`,
  " somebody who can write nothing of main (infra/deploy in the package has the policy). One from",
  " a fork is given no secrets: it computes everything itself, in GitHub's cache, and publishes",
  " nothing."
]

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
      : bucketComment)
  ].join("\n")

/** UTC is what GitHub takes without a word. */
const triggerOf = (schedule: Schedule, localZone: string) => {
  const timezone = schedule.timezone ?? localZone
  const cron = portableFields(schedule.cron, schedule.timetable).join(" ")
  return /^(Etc\/)?(UTC|GMT)$/.test(timezone) ? { cron } : { cron, timezone }
}

const machineOfJob = {
  "runs-on": "ubuntu-latest",
  "timeout-minutes": 350,
  defaults: { run: { shell: "bash" } }
}

const jobsInBucket = (schedule: Schedule, bucket: string, environment: WorkflowOptions["environment"]) => ({
  run: {
    if: `!(${isPullRequest})`,
    environment: environmentName,
    ...machineOfJob,
    env: ofMainLine(bucket, environment),
    steps: steps(schedule, seenSteps(schedule.name))
  },
  "pull-request": {
    if: isPullRequest,
    ...machineOfJob,
    env: ofPullRequest(bucket, environment),
    steps: steps(schedule, cacheSteps(`${schedule.name}-pr`), [noticeFor(bucket)])
  }
})

const jobsInCache = (schedule: Schedule) => ({
  run: { ...machineOfJob, steps: steps(schedule, cacheSteps(schedule.name), [trustMain]) }
})

/** The file's content, YAML. */
export const githubWorkflow = (schedule: Schedule, options: WorkflowOptions): string => {
  const { bucket, environment, localZone } = options
  const content = {
    name: `distillery ${schedule.name}`,
    on: { schedule: [triggerOf(schedule, localZone)], workflow_dispatch: {}, pull_request: {} },
    permissions: { contents: "read" },
    // Of runs that wait in one group GitHub keeps but the last.
    concurrency: {
      group: `distillery-${schedule.name}-${expression("github.ref")}`,
      "cancel-in-progress": false
    },
    jobs: bucket === undefined ? jobsInCache(schedule) : jobsInBucket(schedule, bucket, environment)
  }
  // Written out, as linters know no aliases.
  const document = new Document(content, { aliasDuplicateObjects: false })
  document.commentBefore = comment(schedule, options)
  return document.toString({ lineWidth: 0 })
}
