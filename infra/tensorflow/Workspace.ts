/**
 * The graph, the session and the variables of a runtime as they are now. A TensorFlow graph only grows; once
 * most of it serves nobody any more, everything is made anew and the steps in use are traced again.
 */
import { tf } from "../../lib/tensor/tf.ts"
import type { CpuKernels } from "./CpuKernels.ts"
import type { TensorFlow } from "./capi.ts"
import { GraphBackend } from "./GraphBackend.ts"
import { Graph } from "./graph.ts"
import { registerKernels, unregisterKernels } from "./kernels/all.ts"
import type { ProfileOptions } from "./profile/StepProfiler.ts"
import { Session } from "./session.ts"
import { allocateTensor, type Values } from "./tensors.ts"
import { onGraphBackend, type Program, type TracingContext } from "./trace-step.ts"
import { Variables } from "./variables.ts"

export interface WorkspaceOptions {
  readonly library: TensorFlow
  /** Our kernels; absent: TensorFlow's serve. */
  readonly cpu: CpuKernels | undefined
  readonly threads: number
  /** So many nodes may be dead however few live: making a session anew has its price. */
  readonly deadNodesKept: number
  readonly profile: ProfileOptions | undefined
}

let opened = 0

export class Workspace implements TracingContext {
  readonly backend: GraphBackend
  readonly backendName: string
  readonly library: TensorFlow
  graph: Graph
  session: Session
  variables: Variables
  /** How often everything was made anew. */
  rebuilds = 0
  /** Grows whenever programs may have lost what they need: their graph, or a variable. */
  losses = 0
  readonly options: WorkspaceOptions
  private liveNodes = 0
  private running = 0

  constructor(options: WorkspaceOptions) {
    this.options = options
    this.library = options.library
    this.graph = new Graph(this.library)
    this.session = new Session(this.graph, options.threads)
    this.variables = this.makeVariables()
    const read = (cell: Parameters<Variables["readAll"]>[0][number]) =>
      this.variables.readAll([cell])[0] as Values
    this.backend = new GraphBackend(this.graph, options.cpu, read)
    // Each runtime is a backend of its own: two may live side by side in tests.
    opened += 1
    this.backendName = `tensorflow-graph-${opened}`
    registerKernels(this.backendName)
    tf.registerBackend(this.backendName, () => this.backend, 0)
  }

  /** Nodes that programs in use and variables need, and those that nothing needs. */
  get nodes(): { readonly live: number; readonly dead: number } {
    const live = this.liveNodes + this.variables.numNodes
    return { live, dead: this.graph.size - live }
  }

  /** Counts a program's nodes as living until it is retired. */
  employ(program: Program): void {
    this.liveNodes += program.nodes
  }

  /** A program nobody will run again. */
  retire(program: Program): void {
    if (program.graph === this.graph) this.liveNodes -= program.nodes
  }

  /** Variables are about to be written, or were. */
  variablesChanged(): void {
    this.options.cpu?.variablesChanged()
  }

  /** Brackets a run: nothing is taken from under it. */
  begin(): void {
    this.running += 1
  }

  end(): void {
    this.running -= 1
    this.backend.reclaim()
  }

  /** Takes in what eager code assigned to variables since the last run, and forgets those disposed of. */
  synchronise(): void {
    const { backend, backendName, variables } = this
    if (this.running === 0) this.forgetDisposed()
    const { reassigned } = variables
    if (reassigned.length > 0) {
      onGraphBackend(backendName, () => {
        backend.reclaim()
        for (const variable of reassigned) variables.adopt(variable)
      })
    }
    variables.flush()
  }

  /** Starts anew if most of the graph is dead and no run is under way. Programs of before cannot run then. */
  renewIfMostlyDead(): void {
    const { dead, live } = this.nodes
    if (this.running > 0 || dead <= Math.max(live, this.options.deadNodesKept)) return
    this.synchronise()
    this.empty()
    this.graph = new Graph(this.library)
    this.session = new Session(this.graph, this.options.threads)
    this.variables = this.makeVariables()
    this.backend.graph = this.graph
    this.liveNodes = 0
    this.rebuilds += 1
    this.losses += 1
  }

  private makeVariables(): Variables {
    const { cpu, library } = this.options
    return new Variables(this.graph, this.session, {
      onWrite: () => this.variablesChanged(),
      allocate: (shape, dtype) =>
        cpu !== undefined && dtype === "float32" ? cpu.allocate(shape) : allocateTensor(library, shape, dtype)
    })
  }

  close(): void {
    this.empty()
    unregisterKernels(this.backendName)
    tf.removeBackend(this.backendName)
  }

  private forgetDisposed(): void {
    const { backend, variables } = this
    const cells = variables.disposed
    if (cells.length === 0) return
    // A tensor may share the data: it keeps the last value.
    const shared = cells.filter((cell) => backend.refCount(cell.dataId) > 1)
    backend.settle(shared, variables.readAll(shared))
    variables.forget(cells)
    this.losses += 1
  }

  /** Variables outlive the session: their last values come back to this side before it closes. */
  private empty(): void {
    const { backend, variables } = this
    this.forgetDisposed()
    backend.reclaim()
    const cells = variables.live
    backend.settle(cells, variables.readAll(cells))
    variables.release()
    this.session.close()
    this.graph.close()
    this.options.cpu?.trim()
  }
}
