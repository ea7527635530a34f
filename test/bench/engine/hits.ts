/**
 * Pipelines of which nothing has changed: 1, 100 and 1,000 jobs in ten parallel chains, planned and run by
 * the built program as a project of the user's own calls it. CPU seconds of the whole process and its
 * descendants.
 */
import { execFileSync } from "node:child_process"
import { rmSync } from "node:fs"
import { join } from "node:path"
import { median, type Row, row } from "../Row.ts"
import { makeProject, writeChains } from "./chains.ts"
import { type PeerName, peerFigures } from "./peers.ts"

const packageRoot = join(import.meta.dirname, "../../..")
const numRuns = 7

const distillery = (project: string, ...args: ReadonlyArray<string>): number => {
  const command = [join(import.meta.dirname, "spent.py"), process.execPath, join(packageRoot, "dist/main.js")]
  const env = { ...process.env, XDG_CONFIG_HOME: join(project, "home") }
  const said = execFileSync("python3", [...command, ...args], { cwd: project, encoding: "utf8", env })
  const { cpuSeconds, status, stderr } = JSON.parse(said)
  if (status !== 0) throw new Error(`${args.join(" ")} ended with ${status}:\n${stderr}`)
  return cpuSeconds
}

/** The best of the peers at this size that gets through (`peer-bench`): turbo has none at a thousand. */
const cases: ReadonlyArray<readonly [numJobs: number, cpuSeconds: number, peer: PeerName]> = [
  [1, 0.15, "turbo"],
  [100, 0.2, "turbo"],
  [1000, 0.4, "snakemake"]
]

export const hitCases = async (): Promise<ReadonlyArray<Row>> => {
  const project = makeProject()
  const rows: Array<Row> = []
  try {
    for (const [numJobs, goal, peer] of cases) {
      const peerValue = (await peerFigures(peer, numJobs))?.noop ?? null
      const file = writeChains(project, numJobs)
      distillery(project, "run", file, "--in-process", "--quiet")
      for (const command of ["plan", "run"]) {
        // The first of them finds the code that the others have compiled.
        distillery(project, command, file)
        const times = Array.from({ length: numRuns }, () => distillery(project, command, file))
        const jobs = numJobs === 1 ? "1 hit" : `${numJobs.toLocaleString("en")} hits`
        const name = `${command} of ${jobs}`
        rows.push(row({ name, value: median(times), unit: "CPU-s", goal, peer, peerValue }))
      }
    }
    return rows
  } finally {
    rmSync(project, { recursive: true })
  }
}
