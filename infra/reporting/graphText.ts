/** A pipeline as a tree of text and as a Mermaid diagram. */
import type { GraphJob, PipelineGraph } from "./PipelineGraph.ts"
import { oneLine, type Paint } from "./paint.ts"

const signOf = ({ state }: GraphJob, paint: Paint): string =>
  state === "hit" ? paint.green("●") : paint.yellow("○")

/** How many jobs lie behind each other up to this one. */
const depthsOf = (jobs: ReadonlyArray<GraphJob>): ReadonlyMap<string, number> => {
  const depths = new Map<string, number>()
  for (const { name, reads } of jobs) {
    depths.set(name, 1 + Math.max(-1, ...reads.map((one) => depths.get(one)!)))
  }
  return depths
}

/** Of the jobs it reads from the deepest one, under which it stands; the others are named beside it. */
const parentsOf = (jobs: ReadonlyArray<GraphJob>): ReadonlyMap<string, string | undefined> => {
  const depths = depthsOf(jobs)
  const deeper = (a: string, b: string): string => (depths.get(b)! > depths.get(a)! ? b : a)
  return new Map(jobs.map(({ name, reads }) => [name, reads.length === 0 ? undefined : reads.reduce(deeper)]))
}

const numNamedMax = 4

const listed = (names: ReadonlyArray<string>): string => {
  const shown = names.length > numNamedMax ? names.slice(0, numNamedMax - 1) : names
  const rest = names.length - shown.length
  return rest === 0 ? shown.join(", ") : `${shown.join(", ")} and ${rest} more`
}

/** Every job on one line, under the last of those it reads from; `←` names the others. */
export const graphLines = ({ jobs, pipeline }: PipelineGraph, paint: Paint): ReadonlyArray<string> => {
  const parents = parentsOf(jobs)
  const childrenOf = (parent: string | undefined) => jobs.filter(({ name }) => parents.get(name) === parent)
  const jobLine = (job: GraphJob): string => {
    const others = job.reads.filter((one) => one !== parents.get(job.name))
    const also = others.length === 0 ? "" : paint.dim(`  ← ${listed(others)}`)
    const why = job.state === "will-run" ? paint.yellow(`  ${oneLine(job.reason)}`) : ""
    return `${signOf(job, paint)} ${paint.bold(job.name)}  ${paint.dim(job.stage)}${also}${why}`
  }
  const below = (parent: string | undefined, indent: string): ReadonlyArray<string> => {
    const children = childrenOf(parent)
    return children.flatMap((job, index) => {
      const isLast = index === children.length - 1
      const branch = parent === undefined ? "" : paint.dim(`${indent}${isLast ? "└─" : "├─"}`)
      const inner = parent === undefined ? "" : `${indent}${isLast ? "  " : "│ "}`
      return [`${branch}${jobLine(job)}`, ...below(job.name, inner)]
    })
  }
  const hits = jobs.filter(({ state }) => state === "hit").length
  return [
    ...below(undefined, ""),
    "",
    `${pipeline}: ${jobs.length} jobs, ` +
      `${paint.green("●")} ${hits} hits, ${paint.yellow("○")} ${jobs.length - hits} to do`
  ]
}

/** Names are kebab-case; `end` and the like are words of Mermaid's own. */
const idOf = (name: string): string => `job-${name}`

export const graphMermaid = ({ jobs }: PipelineGraph): ReadonlyArray<string> => [
  "flowchart LR",
  "  classDef hit fill:#e6f4ea,stroke:#2e8b57,color:#123d26",
  "  classDef pending fill:#fff3d6,stroke:#d48806,color:#4a3000",
  ...jobs.map(
    ({ name, stage, state }) =>
      `  ${idOf(name)}["<b>${name}</b><br>${stage}"]:::${state === "hit" ? "hit" : "pending"}`
  ),
  ...jobs.flatMap(({ name, reads }) => reads.map((from) => `  ${idOf(from)} --> ${idOf(name)}`))
]
