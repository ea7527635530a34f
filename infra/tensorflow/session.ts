/** A session: where a graph runs and its variables live. */
import type { Output, Pointer, TensorFlow } from "./capi.ts"
import type { Graph } from "./graph.ts"

/** One call into the session: values fed to placeholders, outputs to fetch, nodes to run for their effect. */
export interface RunRequest {
  readonly feeds: ReadonlyArray<Output>
  readonly values: ReadonlyArray<Pointer>
  readonly fetches: ReadonlyArray<Output>
  readonly targets: ReadonlyArray<Pointer>
}

export class Session {
  private readonly library: TensorFlow
  private readonly pointer: Pointer
  private closed = false

  constructor(graph: Graph, threads: number) {
    this.library = graph.library
    const { call } = this.library
    const options = call.TF_NewSessionOptions() as Pointer
    try {
      const settings = sessionSettings(threads)
      this.library.checked((status) => call.TF_SetConfig(options, settings, settings.length, status))
      this.pointer = this.library.checked((status) =>
        call.TF_NewSession(graph.pointer, options, status)
      ) as Pointer
    } finally {
      call.TF_DeleteSessionOptions(options)
    }
  }

  /** Runs and waits on this thread. The fetched tensors belong to the caller. */
  run(request: RunRequest): ReadonlyArray<Pointer> {
    const fetched = this.results(request)
    this.library.checked((status) =>
      this.library.call.TF_SessionRun(...this.arguments(request, fetched, status))
    )
    this.library.handles.add("tensor", fetched.length)
    return fetched
  }

  /** Runs on a thread of libuv's pool; `done` gets the fetched tensors or the failure. */
  runAsync(request: RunRequest, done: (failure: unknown, fetched: ReadonlyArray<Pointer>) => void): void {
    const fetched = this.results(request)
    // One status a call: another call may finish in between.
    const status = this.library.call.TF_NewStatus() as Pointer
    const finish = (failure: unknown): void => {
      const refused = failure ?? this.refusal(status)
      this.library.call.TF_DeleteStatus(status)
      if (refused === null) this.library.handles.add("tensor", fetched.length)
      done(refused, refused === null ? fetched : [])
    }
    this.library.call.TF_SessionRun.async(...this.arguments(request, fetched, status), finish)
  }

  close(): void {
    if (this.closed) return
    this.closed = true
    this.library.checked((status) => this.library.call.TF_CloseSession(this.pointer, status))
    this.library.checked((status) => this.library.call.TF_DeleteSession(this.pointer, status))
  }

  private refusal(status: Pointer): unknown {
    try {
      this.library.check(status)
      return null
    } catch (refused) {
      return refused
    }
  }

  private results(request: RunRequest): Array<Pointer> {
    if (this.closed) throw new Error("the TensorFlow session is closed: its runtime's scope has ended")
    return new Array(request.fetches.length).fill(null)
  }

  private arguments(request: RunRequest, fetched: ReadonlyArray<Pointer>, status: Pointer) {
    const { feeds, values, fetches, targets } = request
    return [
      this.pointer,
      null,
      feeds,
      values,
      feeds.length,
      fetches,
      fetched,
      fetches.length,
      targets,
      targets.length,
      null,
      status
    ] as const
  }
}

/**
 * `ConfigProto` in protobuf's wire format. `intra_op_parallelism_threads` (field 2) is the pool that
 * convolutions share; `inter_op_parallelism_threads` (field 5) is how many nodes run beside each other.
 */
const sessionSettings = (threads: number): Uint8Array =>
  Uint8Array.of(INTRA_OP_TAG, ...varint(threads), INTER_OP_TAG, ...varint(INTER_OP_THREADS))

/** Seven bits a byte, the lowest first; the eighth says that more follow. */
const varint = (value: number): ReadonlyArray<number> =>
  value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)]

const INTRA_OP_TAG = (2 << 3) | 0
const INTER_OP_TAG = (5 << 3) | 0
const INTER_OP_THREADS = 1
