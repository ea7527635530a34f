/** A session: where a graph runs and its variables live. */
import koffi from "koffi"
import type { Output, Pointer, TensorFlow } from "./capi.ts"
import type { Graph } from "./graph.ts"
import { sessionSettings } from "./session-settings.ts"

/** One call into the session: values fed to placeholders, outputs to fetch, nodes to run for their effect. */
export interface RunRequest {
  readonly feeds: ReadonlyArray<Output>
  readonly values: ReadonlyArray<Pointer>
  readonly fetches: ReadonlyArray<Output>
  readonly targets: ReadonlyArray<Pointer>
}

/** Gets the fetched tensors, or what went wrong (then there are none); the tensors belong to the receiver. */
export type RunDone = (failure: unknown, fetched: ReadonlyArray<Pointer>) => void

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

  /**
   * Runs on a thread of libuv's pool; `done` gets the fetched tensors or the failure. `account` asks for what
   * TensorFlow says of the run (`RunMetadata`, in protobuf), and gets it first.
   */
  runAsync(request: RunRequest, done: RunDone, account?: (metadata: Uint8Array) => void): void {
    const { call } = this.library
    const fetched = this.results(request)
    // One status a call: another call may finish in between.
    const status = call.TF_NewStatus() as Pointer
    const trace = account === undefined ? untraced : this.openTrace()
    const finish = (failure: unknown): void => {
      const refused = failure ?? this.refusal(status)
      call.TF_DeleteStatus(status)
      if (refused === null) {
        this.library.handles.add("tensor", fetched.length)
        if (trace.metadata !== null) account?.(contentOf(trace.metadata))
      }
      this.closeTrace(trace)
      done(refused, refused === null ? fetched : [])
    }
    call.TF_SessionRun.async(...this.arguments(request, fetched, status, trace), finish)
  }

  /** Hands TensorFlow's list of devices to `use`. */
  withDevices<A>(use: (list: Pointer) => A): A {
    const { call } = this.library
    const list = this.library.checked((status) => call.TF_SessionListDevices(this.pointer, status)) as Pointer
    try {
      return use(list)
    } finally {
      call.TF_DeleteDeviceList(list)
    }
  }

  close(): void {
    if (this.closed) return
    this.closed = true
    this.library.checked((status) => this.library.call.TF_CloseSession(this.pointer, status))
    this.library.checked((status) => this.library.call.TF_DeleteSession(this.pointer, status))
  }

  private openTrace(): RunTrace {
    const { call } = this.library
    return {
      options: call.TF_NewBufferFromString(FULL_TRACE, FULL_TRACE.length) as Pointer,
      metadata: call.TF_NewBuffer() as Pointer
    }
  }

  private closeTrace({ metadata, options }: RunTrace): void {
    if (options !== null) this.library.call.TF_DeleteBuffer(options)
    if (metadata !== null) this.library.call.TF_DeleteBuffer(metadata)
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

  private arguments(
    request: RunRequest,
    fetched: ReadonlyArray<Pointer>,
    status: Pointer,
    trace: RunTrace = untraced
  ) {
    const { feeds, values, fetches, targets } = request
    return [
      this.pointer,
      trace.options,
      feeds,
      values,
      feeds.length,
      fetches,
      fetched,
      fetches.length,
      targets,
      targets.length,
      trace.metadata,
      status
    ] as const
  }
}

/** `RunOptions` and `RunMetadata` of one run, as `TF_Buffer`s. */
interface RunTrace {
  readonly options: Pointer | null
  readonly metadata: Pointer | null
}

const untraced: RunTrace = { options: null, metadata: null }

/** `RunOptions` in protobuf's wire format: `trace_level` (field 1) is FULL_TRACE (3). */
const FULL_TRACE = Uint8Array.of((1 << 3) | 0, 3)

/** A copy of what a `TF_Buffer` holds: an address and a length stand first in it. */
const contentOf = (buffer: Pointer): Uint8Array => {
  const [address = 0n, length = 0n] = new BigUint64Array(koffi.view(buffer, 16))
  return length === 0n ? new Uint8Array(0) : new Uint8Array(koffi.view(address, Number(length))).slice()
}
