/**
 * Folders of the user's own: 10,000 small files looked at while planning, and 5 GB ingested for the first
 * time. Whole processes of the built program; descendants count. Files lie in the page cache, the code of the
 * stage is known. The 5 GB case writes 10 GB below the system's temporary folder.
 */
import { execFileSync } from "node:child_process"
import { randomFillSync } from "node:crypto"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { stampAgeMinMillis } from "../../../infra/files/StatIndex.ts"
import { median, type Row, row } from "../Row.ts"

const packageRoot = join(import.meta.dirname, "../../..")
const program = join(packageRoot, "dist", "main.js")
const spentScript = join(import.meta.dirname, "spent.py")

interface Spent {
  readonly status: number
  readonly stderr: string
  readonly cpuSeconds: number
  readonly wallSeconds: number
  readonly peakMebibytes: number
}

const spent = (folder: string, args: ReadonlyArray<string>): Spent => {
  const command = [spentScript, process.execPath, program, ...args]
  const used = JSON.parse(execFileSync("python3", command, { cwd: folder, encoding: "utf8" })) as Spent
  if (used.status !== 0) throw new Error(`${args.join(" ")} ended with ${used.status}:\n${used.stderr}`)
  return used
}

/** A JPEG by its first bytes, as far as `ingest` looks. */
export const writeImages = (folder: string, count: number, sizeBytes: (index: number) => number): void => {
  for (let index = 0; index < count; index++) {
    const bytes = randomFillSync(Buffer.allocUnsafe(sizeBytes(index)))
    bytes.set([0xff, 0xd8, 0xff])
    const file = join(folder, `class-${index % 10}`, `${String(index).padStart(5, "0")}.jpg`)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, bytes)
  }
}

export const writePipeline = (project: string): void =>
  writeFileSync(
    join(project, "images.ts"),
    `import * as Pipeline from "${packageRoot}/lib/workflow/Pipeline.ts"
import { Ingest } from "${packageRoot}/stages/ingest.ts"
const images = Ingest({ params: { source: { _tag: "ImageFolder", path: "images" } }, inputs: {} })
export const pipeline = Pipeline.make("images", "a folder", { images })
`
  )

/** A project with a folder of images that are old enough to be trusted, the stage's code known. */
const withProject = async <A>(write: (folder: string) => void, use: (project: string) => A): Promise<A> => {
  const project = mkdtempSync(join(tmpdir(), "distillery-bench-"))
  try {
    writePipeline(project)
    write(join(project, "images"))
    await delay(stampAgeMinMillis)
    spent(project, ["plan", "images.ts"])
    return use(project)
  } finally {
    rmSync(project, { recursive: true, force: true })
  }
}

const forget = (project: string): void =>
  rmSync(join(project, ".distillery", "inputs"), { recursive: true, force: true })

const runs = 5

const smallFiles = (project: string): ReadonlyArray<Row> => {
  const planned = () => spent(project, ["plan", "images.ts"]).cpuSeconds
  const first = Array.from({ length: runs }, () => {
    forget(project)
    return planned()
  })
  const unchanged = Array.from({ length: runs }, planned)
  return [
    row({ name: "plan, 10,000 files first seen", value: median(first), unit: "CPU-s", goal: 0.5 }),
    row({ name: "plan, 10,000 files unchanged", value: median(unchanged), unit: "CPU-s", goal: 0.25 })
  ]
}

const largeFiles = (project: string): ReadonlyArray<Row> => {
  forget(project)
  const { cpuSeconds, peakMebibytes, wallSeconds } = spent(project, ["run", "images.ts"])
  return [
    row({ name: "first ingest of 5 GB in 50 files", value: cpuSeconds, unit: "CPU-s", goal: 6 }),
    row({ name: "  its time on the wall", value: wallSeconds, unit: "s" }),
    row({ name: "  its largest process", value: peakMebibytes, unit: "MiB", goal: 300 })
  ]
}

export const inputCases = async (): Promise<ReadonlyArray<Row>> => [
  ...(await withProject((folder) => writeImages(folder, 10_000, (at) => 3000 + (at % 2000)), smallFiles)),
  ...(await withProject((folder) => writeImages(folder, 50, () => 100_000_000), largeFiles))
]
