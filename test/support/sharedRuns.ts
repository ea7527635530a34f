/** Processes of the built program that meet at one job of a store on S3, whose body can be held. */
import { type ChildProcess, spawn } from "node:child_process"
import { createHash } from "node:crypto"
import { rmSync, writeFileSync } from "node:fs"
import { GetObjectCommand, ListObjectsV2Command } from "@aws-sdk/client-s3"
import { assert } from "vitest"
import { until } from "./processes.ts"
import { plainClient, type S3TestServer } from "./s3Process.ts"
import type { makeUserProject } from "./userProject.ts"

type UserProject = ReturnType<typeof makeUserProject>

export interface SharedRun {
  readonly process: ChildProcess
  readonly seen: { stdout: string; stderr: string }
  readonly ended: Promise<number | null>
}

const followed = (process: ChildProcess): SharedRun => {
  const seen = { stdout: "", stderr: "" }
  process.stdout!.on("data", (chunk) => (seen.stdout += chunk))
  process.stderr!.on("data", (chunk) => (seen.stderr += chunk))
  return { process, seen, ended: new Promise((resolve) => process.on("close", resolve)) }
}

const args = ["run", "./pipeline.ts", "--to", "line", "--json"]

export const startRun = (project: UserProject, environment: { readonly [name: string]: string }): SharedRun =>
  followed(project.start(args, environment))

/** As on another machine: nobody here can tell whether it lives. Needs root. */
export const startElsewhere = (
  project: UserProject,
  programFile: string,
  environment: { readonly [name: string]: string }
): SharedRun => {
  const { HOME, PATH } = process.env
  const command = ["--pid", "--fork", "--kill-child", "--mount-proc", process.execPath, programFile, ...args]
  return followed(
    spawn("unshare", command, {
      cwd: project.folder,
      env: { PATH, HOME, DISTILLERY_BACKEND: "portable", ...environment }
    })
  )
}

export const hold = (project: UserProject): void => writeFileSync(project.slowFile, "")
export const letGo = (project: UserProject): void => rmSync(project.slowFile, { force: true })

const patienceMillis = 120_000

export const says = (run: SharedRun, text: string, millis = patienceMillis): Promise<void> =>
  until(() => run.seen.stderr.includes(text) || run.process.exitCode !== null, millis).then(() =>
    assert.include(run.seen.stderr, text)
  )

export const jobOf = ({ seen }: SharedRun) =>
  JSON.parse(seen.stdout).jobs[0] as { readonly state: string; readonly outputDigest: string }

/** Manifests of the store by key, as digests of their bytes. */
export const manifestsOf = async (
  { bucket, url }: S3TestServer,
  prefix: string
): Promise<{ readonly [key: string]: string }> => {
  const client = plainClient(url)
  const listing = new ListObjectsV2Command({ Bucket: bucket, Prefix: `${prefix}/objects/manifests/` })
  const { Contents = [] } = await client.send(listing)
  const read = Contents.map(async ({ Key = "" }) => {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key }))
    return [
      Key,
      createHash("sha256")
        .update(await Body!.transformToByteArray())
        .digest("hex")
    ] as const
  })
  const manifests = Object.fromEntries(await Promise.all(read))
  client.destroy()
  return manifests
}

/** `numRuns` processes, all at the job before it is let go; every body that ran to its end left an `A`. */
export const race = async (
  project: UserProject,
  environment: { readonly [name: string]: string },
  numRuns: number
): Promise<void> => {
  project.clearLog()
  hold(project)
  const runs = Array.from({ length: numRuns }, () => startRun(project, environment))
  const meets = ({ seen }: SharedRun) => /line: (started|waits for run)/.test(seen.stderr)
  await until(() => runs.every((run) => meets(run) || run.process.exitCode !== null), 600_000)
  letGo(project)
  const codes = await Promise.all(runs.map(({ ended }) => ended))
  const stderr = runs.map(({ seen }) => seen.stderr).join("\n")
  assert.deepStrictEqual(new Set(codes), new Set([0]), stderr)
  assert.strictEqual(project.ran(), "A")
  assert.lengthOf(new Set(runs.map((run) => jobOf(run).outputDigest)), 1)
  const [owner, ...others] = runs.filter((run) => jobOf(run).state === "ran")
  assert.lengthOf(others, 0)
  assert.notMatch(stderr, /error|failed|✗/i)
  const waits = new RegExp(
    `waits for run \\S+ on \\S+ \\(pid ${owner!.process.pid}\\), computing since \\d\\d:\\d\\d, \\d+:\\d\\d`
  )
  for (const run of runs) if (run !== owner) assert.match(run.seen.stderr, waits)
}

/** A run that is in the middle of the job, and one that waits for it. */
export const twoRuns = async (
  project: UserProject,
  startOwner: () => SharedRun,
  environment: { readonly [name: string]: string }
) => {
  project.clearLog()
  hold(project)
  const owner = startOwner()
  await says(owner, "line: started")
  const waiting = startRun(project, environment)
  await says(waiting, "line: waits for run")
  return { owner, waiting }
}

/** Kills the owner; milliseconds until the other has taken over. The other then ends with the only result. */
export const killOwner = async (
  project: UserProject,
  startOwner: () => SharedRun,
  environment: { readonly [name: string]: string }
): Promise<number> => {
  const { owner, waiting } = await twoRuns(project, startOwner, environment)
  const killedMillis = performance.now()
  owner.process.kill("SIGKILL")
  await says(waiting, "taken over from run")
  const tookMillis = performance.now() - killedMillis
  letGo(project)
  assert.strictEqual(await waiting.ended, 0, waiting.seen.stderr)
  assert.deepStrictEqual([project.ran(), jobOf(waiting).state], ["A", "ran"])
  return tookMillis
}
