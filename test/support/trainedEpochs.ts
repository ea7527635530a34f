/** What the event logs of a project's folder tell of the epochs that its runs trained. */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"

interface LoggedEvent {
  readonly _tag: string
  readonly job?: string
  readonly progress?: { readonly phase: string }
}

/** The epochs in which each run was seen training this job, from 1, in the order of the runs. */
export const epochsSeen = (folder: string, trained: string): ReadonlyArray<ReadonlyArray<number>> => {
  const logs = join(folder, ".distillery/logs/runs")
  return readdirSync(logs)
    .sort()
    .map((name) =>
      readFileSync(join(logs, name), "utf8")
        .split("\n")
        // The last line of a run that was killed may be torn.
        .filter((line) => line.endsWith("}"))
        .map((line) => JSON.parse(line) as LoggedEvent)
        .filter(({ _tag, job }) => _tag === "JobProgress" && job === trained)
        .flatMap(({ progress }) => /^epoch (\d+)\//.exec(progress!.phase)?.slice(1).map(Number) ?? [])
    )
}

/** Of a job's output, from what `run --json` prints. */
export const digestIn = (stdout: string, job: string): string =>
  JSON.parse(stdout).jobs.find(({ name }: { name: string }) => name === job).outputDigest
