/**
 * Who works on a key now, so that nobody else does the same: a lease in the store, renewed while its owner
 * lives, taken over from the dead. `test/suites/lease.ts` is its contract.
 *
 * A lease saves work and carries no correctness: an owner may be frozen between any two of its instructions.
 * What must not happen twice is decided by conditional writes of its own.
 */
import { Context, type Effect, Schema } from "effect"
import { type Digest, hexOf } from "./Digest.ts"
import type { StoreError } from "./ObjectStore.ts"
import type { Scope } from "./Signature.ts"

/** A run in a process. `incarnation` tells the process from all that ever had its `pid`; opaque. */
export const LeaseOwner = Schema.Struct({
  host: Schema.String,
  pid: Schema.Int,
  runId: Schema.String,
  incarnation: Schema.String
})
export type LeaseOwner = typeof LeaseOwner.Type

/** What lies in the store. No two writes are equal, so a version never comes back. */
export const LeaseRecord = Schema.Struct({
  schemaVersion: Schema.Literal(1),
  state: Schema.Literals(["held", "released"]),
  owner: LeaseOwner,
  /** Of one acquisition: tells a write of our own, whose answer was lost, from another's. */
  nonce: Schema.String,
  /** Grows with every acquisition of the key: whoever has a smaller one has lost the lease. */
  epoch: Schema.Int,
  /** Grows with every write of the owner. */
  sequence: Schema.Int,
  /** When it was acquired by the owner's clock; ISO 8601, UTC. For people. */
  since: Schema.String,
  /** An owner that gave no sign of life for this long may be taken over. */
  leaseMillis: Schema.Int
})
export type LeaseRecord = typeof LeaseRecord.Type

/**
 * `leases/<scope>/ab/<the other 62 digits>.json`: nobody can make a scope wait who may not write there, and a
 * run of another scope makes a result that does not count here anyway.
 */
export const leaseKey = (scope: Scope, key: Digest): string => {
  const hex = hexOf(key)
  return `leases/${scope}/${hex.slice(0, 2)}/${hex.slice(2)}.json`
}

/** The owner was silent for longer than its lease, and another took it over. */
export class LeaseLost extends Schema.TaggedError<LeaseLost>()("LeaseLost", {
  key: Schema.String,
  epoch: Schema.Int
}) {
  override get message() {
    return `The lease of ${this.key} (epoch ${this.epoch}) was taken over by another run.`
  }
}

export interface Lease {
  readonly epoch: number
  /** Writes a sign of life, by compare-and-swap. */
  readonly renew: Effect.Effect<void, LeaseLost | StoreError>
  /**
   * Succeeds while the lease is ours. Asks the store unless the last sign of life is younger than a third of
   * the lease: nobody takes that over.
   */
  readonly confirm: Effect.Effect<void, LeaseLost | StoreError>
  /** Renews as long as it runs; ends only with the loss. A store that cannot be reached is asked again. */
  readonly keepAlive: Effect.Effect<never, LeaseLost>
  /** Lets others in at once. Where it does not come through, they wait until the lease has run out. */
  readonly release: Effect.Effect<void>
}

export type Acquisition =
  /** `deposed`: the owner that it was taken over from, dead or silent for a whole lease. */
  | { readonly _tag: "Acquired"; readonly lease: Lease; readonly deposed: LeaseOwner | undefined }
  /** `by`: `undefined` where the record is unreadable; it is waited for all the same. */
  | { readonly _tag: "Taken"; readonly by: LeaseRecord | undefined }

export type Holding =
  | { readonly _tag: "Free" }
  | { readonly _tag: "Taken"; readonly by: LeaseRecord | undefined }

export class Leases extends Context.Service<
  Leases,
  {
    /** Takes the lease of a key if it is free: never held, released, or its owner is dead or long silent. */
    readonly acquire: (key: Digest, runId: string) => Effect.Effect<Acquisition, StoreError>
    /**
     * Looks whether `acquire` would take it. Silence is measured by looking: one look sees none, and looks
     * that lie further apart than half a lease start anew.
     */
    readonly look: (key: Digest) => Effect.Effect<Holding, StoreError>
    /** Milliseconds between looks that are close enough together. */
    readonly lookMillisMax: number
  }
>()("lib/storage/Leases") {}

/** What the machine knows of processes. */
export class OwnerLiveness extends Context.Service<
  OwnerLiveness,
  {
    /** This process. */
    readonly self: Omit<LeaseOwner, "runId">
    /** Whether the process is certainly gone; of other machines nothing is certain. */
    readonly isGone: (owner: LeaseOwner) => Effect.Effect<boolean>
  }
>()("lib/storage/OwnerLiveness") {}
