/** Counts what TensorFlow has made for us and we have to give back: debugging's view of leaks. */

export const HANDLE_KINDS = ["tensor", "status", "buffer", "graph", "session", "options"] as const
export type HandleKind = (typeof HANDLE_KINDS)[number]

export class Handles {
  readonly #live = new Map<HandleKind, number>()

  add(kind: HandleKind, count: number): void {
    this.#live.set(kind, (this.#live.get(kind) ?? 0) + count)
  }

  /** How many of each kind are alive now. */
  get live(): { readonly [K in HandleKind]: number } {
    const counts = HANDLE_KINDS.map((kind) => [kind, this.#live.get(kind) ?? 0])
    return Object.fromEntries(counts) as { readonly [K in HandleKind]: number }
  }
}

/** The calls that make or delete a handle; a run makes tensors besides, which its caller counts. */
const LIFETIMES: { readonly [call: string]: readonly [HandleKind, 1 | -1] } = {
  TF_AllocateTensor: ["tensor", 1],
  TF_DeleteTensor: ["tensor", -1],
  TF_NewStatus: ["status", 1],
  TF_DeleteStatus: ["status", -1],
  TF_NewBuffer: ["buffer", 1],
  TF_DeleteBuffer: ["buffer", -1],
  TF_NewGraph: ["graph", 1],
  TF_DeleteGraph: ["graph", -1],
  TF_NewSession: ["session", 1],
  TF_DeleteSession: ["session", -1],
  TF_NewSessionOptions: ["options", 1],
  TF_DeleteSessionOptions: ["options", -1]
}

type Call = (...args: ReadonlyArray<never>) => unknown

/** The function, counting if it makes or deletes; what could not be made (null) does not count. */
export const counted = <F extends Call>(name: string, call: F, handles: Handles): F => {
  const lifetime = LIFETIMES[name]
  if (lifetime === undefined) return call
  const counting: Call = (...args) => {
    const made = call(...args)
    if (made !== null) handles.add(...lifetime)
    return made
  }
  return counting as F
}
