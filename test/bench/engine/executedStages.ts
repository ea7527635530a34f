/**
 * What the engine spends on a job that it executes, in CPU of all processes: in process, in children that
 * serve one job after another, and in fresh ones. Needs a build (`dist/child.js`).
 */
import { execFileSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { median, type Row, row } from "../Row.ts"

const runFile = join(import.meta.dirname, "executed", "run.ts")

interface Case {
  readonly how: "in-process" | "warm" | "cold"
  readonly jobs: number
  readonly goalMillis: number
}

const cases: ReadonlyArray<Case> = [
  { how: "in-process", jobs: 200, goalMillis: 3 },
  { how: "warm", jobs: 100, goalMillis: 20 },
  { how: "cold", jobs: 10, goalMillis: 200 }
]
const numRepeats = 3

/** CPU of a run of so many jobs in a new store, its children included. */
const cpuSeconds = (how: string, jobs: number): number => {
  const folder = mkdtempSync(join(tmpdir(), "distillery-bench-"))
  const command = [
    join(import.meta.dirname, "spent.py"),
    process.execPath,
    runFile,
    how,
    String(jobs),
    folder
  ]
  const spent = JSON.parse(execFileSync("python3", command, { encoding: "utf8" }))
  rmSync(folder, { recursive: true })
  if (spent.status !== 0) throw new Error(`${how} ended with ${spent.status}:\n${spent.stderr}`)
  return spent.cpuSeconds
}

/** The cost of start-up is in both runs, and so in neither. */
const millisPerJob = ({ how, jobs }: Case): number =>
  median(
    Array.from({ length: numRepeats }, () => (1000 * (cpuSeconds(how, jobs + 1) - cpuSeconds(how, 1))) / jobs)
  )

export const executedCases = (): ReadonlyArray<Row> => {
  // The children's compiled code is kept from here on.
  cpuSeconds("cold", 1)
  return cases.map((one) =>
    row({
      name: `overhead per executed stage, ${one.how}`,
      value: millisPerJob(one),
      unit: "CPU-ms",
      goal: one.goalMillis
    })
  )
}
