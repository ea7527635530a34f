/**
 * The traces of one compiled step by the shapes and types of its inputs: the latest few, counted, with the
 * reason for each.
 */
import type { TensorSpec } from "./Runtime.ts"

/** What a step is traced for. */
export type Signature = Readonly<Record<string, TensorSpec>>

interface Entry<P> {
  readonly signature: Signature
  /** Absent once let go of. */
  program?: P | undefined
  /** Why it was let go of. */
  gone?: string
}

/** Signatures without a trace that are remembered, as a multiple of the limit: they explain retraces. */
const REMEMBERED = 4

export class TraceCache<P> {
  readonly #limit: number
  /** The least recently used first. */
  readonly #entries = new Map<string, Entry<P>>()
  #counts = { traces: 0, hits: 0, evictions: 0 }

  /** @param limit how many programs are kept at most */
  constructor(limit: number) {
    this.#limit = limit
  }

  get counts(): { readonly traces: number; readonly hits: number; readonly evictions: number } {
    return this.#counts
  }

  /** The program for these inputs, now the latest used. */
  find(signature: Signature): P | undefined {
    const key = keyOf(signature)
    const entry = this.#entries.get(key)
    if (entry?.program === undefined) return undefined
    this.#counts.hits += 1
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    return entry.program
  }

  /** Makes room for one more; what is answered the caller has to release. */
  evict(): ReadonlyArray<P> {
    const surplus = this.#held().slice(0, Math.max(0, this.#held().length + 1 - this.#limit))
    this.#counts.evictions += surplus.length
    return surplus.map((entry) => letGo(entry, `its trace was let go of (${this.#limit} are kept)`))
  }

  add(signature: Signature, program: P): void {
    const key = keyOf(signature)
    this.#counts.traces += 1
    this.#entries.delete(key)
    this.#entries.set(key, { signature, program })
    for (const [oldest, { program: held }] of this.#entries) {
      if (this.#entries.size <= this.#limit * REMEMBERED) break
      if (held === undefined) this.#entries.delete(oldest)
    }
  }

  /** Lets go of the programs that `which` picks; what is answered the caller has to release. */
  drop(reason: string, which: (program: P) => boolean = () => true): ReadonlyArray<P> {
    return this.#held()
      .filter(({ program }) => which(program as P))
      .map((entry) => letGo(entry, reason))
  }

  /**
   * Why these inputs need a trace: what differs from the nearest earlier one
   * (`images: [128,28,28,1] → [96,28,28,1]`), or what became of their own. Empty for the very first.
   */
  reason(signature: Signature): string {
    const own = this.#entries.get(keyOf(signature))
    if (own !== undefined) return own.gone ?? ""
    let nearest: ReadonlyArray<string> | undefined
    for (const entry of Array.from(this.#entries.values()).reverse()) {
      const changes = differences(entry.signature, signature)
      if (nearest === undefined || changes.length < nearest.length) nearest = changes
    }
    return nearest?.join(", ") ?? ""
  }

  #held(): ReadonlyArray<Entry<P>> {
    return Array.from(this.#entries.values()).filter(({ program }) => program !== undefined)
  }
}

const letGo = <P>(entry: Entry<P>, reason: string): P => {
  const { program } = entry
  entry.program = undefined
  entry.gone = reason
  return program as P
}

const keyOf = (signature: Signature): string =>
  Object.entries(signature)
    .map(([name, { dtype, shape }]) => `${name}:${dtype}[${shape}]`)
    .join(";")

const differences = (before: Signature, after: Signature): ReadonlyArray<string> =>
  Object.entries(after).flatMap(([name, spec]) => {
    const was = textOf(before[name] as TensorSpec, spec)
    const is = textOf(spec, before[name] as TensorSpec)
    return was === is ? [] : [`${name}: ${was} → ${is}`]
  })

/** The type is told only where it is what differs. */
const textOf = ({ dtype, shape }: TensorSpec, other: TensorSpec): string =>
  dtype === other.dtype ? `[${shape}]` : `${dtype} [${shape}]`
