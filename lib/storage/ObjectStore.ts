/**
 * Bytes under string keys: the one interface every store implements (`test/suites/objectStore.ts` is its
 * contract).
 *
 * Keys are `/`-separated segments of `[A-Za-z0-9._=-]+`; no key may be the folder of another (some servers
 * refuse it). A `put` is atomic: a reader sees the old bytes, the new bytes or nothing, never a part.
 */
import { Context, type Effect, Schema, type Stream } from "effect"
import type { ByteSource } from "./ByteSource.ts"

export class ObjectNotFound extends Schema.TaggedError<ObjectNotFound>()("ObjectNotFound", {
  key: Schema.String
}) {
  override get message() {
    return `The store holds no object "${this.key}".`
  }
}

/** A conditional write lost: the object exists (`absent`), or is no longer the version that was named. */
export class PreconditionFailed extends Schema.TaggedError<PreconditionFailed>()("PreconditionFailed", {
  key: Schema.String,
  condition: Schema.String
}) {
  override get message() {
    return `Object "${this.key}" was not written: ${this.condition} does not hold any more.`
  }
}

export class StoreFull extends Schema.TaggedError<StoreFull>()("StoreFull", {
  key: Schema.String,
  sizeBytes: Schema.Number,
  location: Schema.String
}) {
  override get message() {
    return (
      `No space left for ${this.sizeBytes} bytes of "${this.key}" in ${this.location}. ` +
      "Free some space or point DISTILLERY_STORE somewhere else, then run again: finished jobs are kept."
    )
  }
}

export class StoreUnavailable extends Schema.TaggedError<StoreUnavailable>()("StoreUnavailable", {
  operation: Schema.String,
  key: Schema.String,
  reason: Schema.String
}) {
  /** It may be there again in a moment. */
  readonly transient = true
  override get message() {
    return `The store could not ${this.operation} "${this.key}": ${this.reason}`
  }
}

/** It is of a newer format than this program knows, or refuses us, or its settings make no sense. */
export class StoreUnusable extends Schema.TaggedError<StoreUnusable>()("StoreUnusable", {
  location: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `The store at ${this.location} cannot be used: ${this.reason}`
  }
}

/** It holds more than anything that is written there: nothing of it was kept. */
export class ObjectTooLarge extends Schema.TaggedError<ObjectTooLarge>()("ObjectTooLarge", {
  key: Schema.String,
  sizeBytes: Schema.Number,
  sizeBytesMax: Schema.Number
}) {
  override get message() {
    return (
      `Object "${this.key}" has ${this.sizeBytes} bytes, where at most ${this.sizeBytesMax} are ever ` +
      "written: it is none of ours and was not read. Remove it from the store."
    )
  }
}

export type StoreError =
  | ObjectNotFound
  | ObjectTooLarge
  | PreconditionFailed
  | StoreFull
  | StoreUnavailable
  | StoreUnusable

export interface ObjectInfo {
  readonly key: string
  readonly sizeBytes: number
  /** Opaque; changes whenever the bytes do. */
  readonly version: string
  /** When it was written last, by the store's clock; milliseconds since 1970. */
  readonly modifiedAtMillis: number
}

/** What an object looks like from outside. */
export interface ObjectStamp {
  readonly sizeBytes: number
  /**
   * Opaque. Equal to an earlier one only where nobody wrote the object in between; another one says nothing.
   * `undefined` where that cannot be told yet.
   */
  readonly stamp: string | undefined
}

export type PutCondition =
  | { readonly _tag: "Absent" }
  | { readonly _tag: "Version"; readonly version: string }

export interface Move {
  readonly from: string
  /** An object that stands there is replaced. */
  readonly to: string
  /** As it was seen: what is large may have to be moved in another way. */
  readonly sizeBytes: number
  /** It stays where it is if it is another version by now. */
  readonly version?: string
}

/** `volatile`: it need not outlive a power cut, so a store may spare the time that takes. */
export type Durability = "durable" | "volatile"

export class ObjectStore extends Context.Service<
  ObjectStore,
  {
    /** Where it is, for messages. */
    readonly location: string
    /** Whether conditions are decided atomically. Where not, there are no leases: work may be done twice. */
    readonly isConditional: boolean
    /** Whether reading an object costs no more than reading a file. */
    readonly isLocal: boolean
    /** Fails with `ObjectTooLarge`, before it is read, where it holds more than `sizeBytesMax`. */
    readonly get: (key: string, sizeBytesMax?: number) => Effect.Effect<Uint8Array, StoreError>
    /**
     * For what is too large to be held: the bytes of the version that stands there now, read when the chunks
     * are run. Fails with `StoreUnavailable` where it is replaced before they have all come.
     */
    readonly getStream: (key: string) => Effect.Effect<ByteSource<StoreError>, StoreError>
    readonly head: (key: string) => Effect.Effect<ObjectInfo, StoreError>
    /** Many at a time and without opening them, in the order of the keys; `undefined` where there is none. */
    readonly stamps: (
      keys: ReadonlyArray<string>
    ) => Effect.Effect<ReadonlyArray<ObjectStamp | undefined>, StoreError>
    /** Writes or replaces. With a condition the write happens only while it holds, decided atomically. */
    readonly put: (
      key: string,
      bytes: Uint8Array,
      condition?: PutCondition,
      durability?: Durability
    ) => Effect.Effect<ObjectInfo, StoreError>
    /** Writes or replaces, without holding the bytes. Nothing is written where the source fails. */
    readonly putStream: <E>(key: string, source: ByteSource<E>) => Effect.Effect<ObjectInfo, StoreError | E>
    /** Removing what is absent succeeds. */
    readonly remove: (key: string) => Effect.Effect<void, StoreError>
    /** The same for many, in few requests. */
    readonly removeAll: (keys: ReadonlyArray<string>) => Effect.Effect<void, StoreError>
    /**
     * Moves objects within the store; their bytes do not come here. What arrives is as young as if it had
     * just been written, and is there before it is gone from where it was. Gives those that were moved: what
     * is absent is passed over.
     */
    readonly moveAll: (moves: ReadonlyArray<Move>) => Effect.Effect<ReadonlyArray<Move>, StoreError>
    /**
     * Removes what writers that were killed left where nobody sees it, begun before a time by the store's
     * clock. Gives how many there were.
     */
    readonly removeLeftovers: (beforeMillis: number) => Effect.Effect<number, StoreError>
    /** Objects whose key starts with `prefix`, in key order. */
    readonly list: (prefix: string) => Stream.Stream<ObjectInfo, StoreError>
  }
>()("lib/storage/ObjectStore") {}
