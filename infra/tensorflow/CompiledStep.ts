/** One step of the native runtime: its programs by the shapes of their inputs, and how one is run. */
import type { Fetches, JitOptions, RunFeeds } from "../../lib/tensor/Runtime.ts"
import { type Signature, TraceCache } from "../../lib/tensor/TraceCache.ts"
import type { Pointer } from "./capi.ts"
import { traceError } from "./errors.ts"
import { type CheckedFeed, checkedFeeds } from "./feeds.ts"
import { CopiedInputs, InputMemory } from "./InputMemory.ts"
import { StepProfiler } from "./profile/StepProfiler.ts"
import type { RunDone, RunRequest } from "./session.ts"
import { takeValues } from "./tensors.ts"
import { type Program, type Step, traceStep } from "./trace-step.ts"
import type { Workspace } from "./Workspace.ts"

/** A program ready to run, with the memory for its feeds. */
interface Ready {
  readonly program: Program
  readonly copies: CopiedInputs
}

export interface Outcome {
  readonly fetches: Fetches<string>
  /** Why the step was traced again for it; empty if it was not. */
  readonly retraced: string
}

export class CompiledStep {
  readonly memory: InputMemory
  private readonly cache: TraceCache<Ready>
  private readonly workspace: Workspace
  private readonly step: Step
  private readonly options: JitOptions<string>
  private readonly profiler: StepProfiler | undefined
  private runs = 0
  private losses = 0
  private released = false

  /** Traces for the declared inputs at once. Throws `TraceError`. */
  constructor(workspace: Workspace, step: Step, options: JitOptions<string>, tracesKept: number) {
    this.workspace = workspace
    this.step = step
    this.options = options
    this.memory = new InputMemory(workspace.library)
    this.cache = new TraceCache(tracesKept)
    this.losses = workspace.losses
    this.profiler = workspace.options.profile && new StepProfiler(workspace.options.profile)
    workspace.synchronise()
    this.trace(options.inputs)
  }

  get counts(): TraceCache<Ready>["counts"] {
    return this.cache.counts
  }

  /**
   * Runs once; `done` gets the outputs, or what TensorFlow refused. Throws what is wrong with the feeds, and
   * `TraceError`. From here to the start of the run nothing else has its turn: it could make the graph anew.
   */
  run(feeds: RunFeeds<string>, done: (failure: unknown, outcome?: Outcome) => void): void {
    if (this.released) throw new Error("the scope in which the step was compiled has ended")
    const { workspace } = this
    workspace.synchronise()
    const { request, program, retraced } = this.prepare(checkedFeeds(this.options.inputs, feeds))
    const writes = program.assignments.length > 0
    if (writes) workspace.variablesChanged()
    const finish: RunDone = (failure, fetched) => {
      if (writes) workspace.variablesChanged()
      this.end()
      if (failure !== null) return done(failure)
      done(null, { fetches: fetchesOf(workspace, program, fetched), retraced })
    }
    workspace.session.runAsync(request, finish, this.profiler?.next(program))
    this.runs += 1
    workspace.begin()
  }

  /** Gives everything back, as soon as no run needs it. */
  release(): void {
    this.released = true
    this.free()
  }

  private end(): void {
    this.runs -= 1
    this.workspace.end()
    if (this.released) this.free()
  }

  private free(): void {
    if (this.runs > 0) return
    this.discard(this.cache.drop("the step was released"))
    this.memory.free()
  }

  /** Finds or traces the program for these feeds and writes them where it reads them. */
  private prepare(feeds: ReadonlyArray<CheckedFeed>) {
    const signature = Object.fromEntries(feeds.map(({ name, spec }) => [name, spec]))
    this.dropUnusable()
    const found = this.cache.find(signature)
    const retraced = found === undefined ? this.cache.reason(signature) : ""
    const { copies, program } = found ?? this.trace(signature)
    const request: RunRequest = {
      feeds: program.inputs.map(({ feed }) => feed),
      values: feeds.map((feed) => this.memory.tensorOf(feed.values) ?? copies.tensorOf(feed)),
      fetches: program.outputs.map(({ fetch }) => fetch),
      targets: program.assignments
    }
    return { request, program, retraced }
  }

  /** Programs of a graph that is no more, and those that use variables that are no more. */
  private dropUnusable(): void {
    const { graph, losses } = this.workspace
    if (losses === this.losses) return
    this.losses = losses
    this.discard(this.cache.drop("the graph was made anew", ({ program }) => program.graph !== graph))
    const lost = ({ program }: Ready) => program.cells.some(({ variable }) => variable.isDisposed)
    this.discard(this.cache.drop("a variable it used was disposed of", lost))
  }

  private trace(signature: Signature): Ready {
    const { workspace } = this
    this.discard(this.cache.evict())
    workspace.renewIfMostlyDead()
    this.dropUnusable()
    const program = this.traced(signature)
    workspace.employ(program)
    const ready = { program, copies: new CopiedInputs(workspace.library) }
    this.cache.add(signature, ready)
    workspace.variables.flush()
    return ready
  }

  private traced(inputs: Signature): Program {
    try {
      return traceStep(this.workspace, this.step, { ...this.options, inputs })
    } catch (cause) {
      throw traceError(cause)
    }
  }

  private discard(gone: ReadonlyArray<Ready>): void {
    for (const { copies, program } of gone) {
      copies.free()
      this.workspace.retire(program)
    }
  }
}

const fetchesOf = (
  { library }: Workspace,
  program: Program,
  fetched: ReadonlyArray<Pointer>
): Fetches<string> =>
  Object.fromEntries(
    program.outputs.map(({ name, dtype }, index) => [
      name,
      takeValues(library, fetched[index] as Pointer, dtype)
    ])
  ) as Fetches<string>
