/** Where the time of one step went, node by node: as a table for people and as a trace for a browser. */
import type { NodeTime } from "./step-stats.ts"

export interface StepProfile {
  /** What the step is fed: names and shapes. */
  readonly title: string
  /** Milliseconds from the call into TensorFlow to its return; a profiled run is a little slower. */
  readonly wallMillis: number
  readonly nodes: ReadonlyArray<ProfiledNode>
}

export interface ProfiledNode extends NodeTime {
  /**
   * Types and shapes, as `bfloat16[128,32,32,16] float32[3,3,16,16]`; empty where TensorFlow's optimizer made
   * the node.
   */
  readonly reads: string
}

interface Total {
  readonly name: string
  readonly count: number
  readonly micros: number
}

/** Sums by what `nameOf` says, the largest first. */
export const totalsBy = (
  nodes: ReadonlyArray<ProfiledNode>,
  nameOf: (node: ProfiledNode) => string
): ReadonlyArray<Total> => {
  const totals = new Map<string, Total>()
  for (const node of nodes) {
    const name = nameOf(node)
    const { count, micros } = totals.get(name) ?? { count: 0, micros: 0 }
    totals.set(name, { name, count: count + 1, micros: micros + node.durationMicros })
  }
  return [...totals.values()].sort((a, b) => b.micros - a.micros)
}

/** Three tables: by operation, by operation and shapes, and the `largest` single nodes. */
export const profileTable = ({ nodes, title, wallMillis }: StepProfile, largest = 40): string => {
  const all = nodes.reduce((sum, { durationMicros }) => sum + durationMicros, 0)
  const table = (title: string, totals: ReadonlyArray<Total>) => [
    "",
    `      ms     %  count  ${title}`,
    ...totals.map(
      ({ count, micros, name }) =>
        `${(micros / 1000).toFixed(2).padStart(8)} ${((100 * micros) / all).toFixed(1).padStart(5)} ` +
        `${String(count).padStart(6)}  ${name}`
    )
  ]
  const described = ({ operation, reads }: ProfiledNode) => `${operation} ${reads}`.trim()
  return [
    title,
    `${(all / 1000).toFixed(1)} ms in ${nodes.length} nodes, ${wallMillis.toFixed(1)} ms on the wall`,
    ...table(
      "operation",
      totalsBy(nodes, ({ operation }) => operation)
    ),
    ...table("operation and what it reads", totalsBy(nodes, described).slice(0, largest)),
    ...table("node", totalsBy(nodes, (node) => `${node.node}  ${described(node)}`).slice(0, largest)),
    ""
  ].join("\n")
}

/** For chrome://tracing and ui.perfetto.dev: one row for each of TensorFlow's threads. */
export const chromeTrace = ({ nodes }: StepProfile): string => {
  const devices = [...new Set(nodes.map(({ device }) => device))]
  const names = devices.map((name, pid) => ({ ph: "M", name: "process_name", pid, args: { name } }))
  const events = nodes.map(({ device, durationMicros, node, operation, reads, startMicros, thread }) => ({
    ph: "X",
    name: operation,
    pid: devices.indexOf(device),
    tid: thread,
    ts: startMicros,
    dur: durationMicros,
    args: { node, reads }
  }))
  return JSON.stringify({ traceEvents: [...names, ...events] })
}
