/** Chooses which runs of a compiled step are profiled, and makes profiles of what TensorFlow says of them. */
import { performance } from "node:perf_hooks"
import { DataType } from "../capi.ts"
import type { Graph } from "../graph.ts"
import type { Program } from "../trace-step.ts"
import type { StepProfile } from "./StepProfile.ts"
import { nodeTimes } from "./step-stats.ts"

export interface ProfileOptions {
  /** Runs of each compiled step before the first that is profiled: TensorFlow chooses kernels in those. */
  readonly skip: number
  /** Runs that are profiled then. */
  readonly count: number
  readonly take: (profile: StepProfile) => void
}

export class StepProfiler {
  private readonly options: ProfileOptions
  private runs = 0

  constructor(options: ProfileOptions) {
    this.options = options
  }

  /** Call as a run begins: what is to be given TensorFlow's account of it, if it is one to profile. */
  next({ graph, inputs }: Program): ((metadata: Uint8Array) => void) | undefined {
    const { count, skip, take } = this.options
    this.runs += 1
    if (this.runs <= skip || this.runs > skip + count) return undefined
    const began = performance.now()
    return (metadata) =>
      take({
        title: inputs.map(({ name, spec }) => `${name} [${spec.shape}]`).join(", "),
        wallMillis: performance.now() - began,
        nodes: nodeTimes(metadata).map((time) => ({ ...time, reads: reads(graph, time.node) }))
      })
  }
}

const reads = (graph: Graph, node: string): string =>
  graph
    .inputsOf(node)
    .map(({ shape, type }) => `${typeNames.get(type) ?? "?"}[${shape ?? "?"}]`)
    .join(" ")

const typeNames: ReadonlyMap<number, string> = new Map(
  Object.entries(DataType).map(([name, type]) => [type, name])
)
