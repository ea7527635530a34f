/**
 * What a job reads from outside the store: folders and files of the user's own. Their content enters the
 * job's key by its digest, the place where they lie does not: an edited file makes a miss, a moved folder a
 * hit. Implemented in `infra/files`.
 */
import { Context, Effect, Schema } from "effect"
import { Digest } from "../storage/Digest.ts"
import type { ArtifactRef } from "./Artifact.ts"
import { DefinitionError } from "./Stage.ts"

/** One of the things that the params of a stage say to read from outside. */
export interface External {
  /** What `explain` calls it. */
  readonly name: string
  readonly kind: "folder" | "file"
  /** A relative one counts from the project's folder, where the user stands. */
  readonly path: string
  /**
   * Leaves of the params that stay out of the key because the digest stands in it: where this lies, what it
   * should hold (`source.path`, `source.digest`).
   */
  readonly standsFor: ReadonlyArray<string>
  /**
   * What it holds, where the params say so. Then it is not looked at while planning, may even be gone from a
   * job that is a hit, and the body must check what it reads.
   */
  readonly pinned?: Digest
}

export const ExternalRecord = Schema.Struct({
  kind: Schema.Literals(["folder", "file"]),
  path: Schema.String,
  standsFor: Schema.Array(Schema.String),
  digest: Digest,
  pinned: Schema.Boolean
})
export type ExternalRecord = typeof ExternalRecord.Type

/** By name, as they were when the job was planned. */
export interface ExternalRecords {
  readonly [name: string]: ExternalRecord
}

/** Something that a job is to read cannot be read, so nobody knows whether its result is there. */
export class ExternalUnreadable extends Schema.TaggedError<ExternalUnreadable>()("ExternalUnreadable", {
  job: Schema.String,
  name: Schema.String,
  path: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `Job "${this.job}" reads "${this.path}" (its ${this.name}), which cannot be read: ${this.reason}`
  }
}

/** It was changed between planning and the end of the job, whose result would belong to neither content. */
export class ExternalChanged extends Schema.TaggedError<ExternalChanged>()("ExternalChanged", {
  job: Schema.String,
  kind: Schema.String,
  path: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return (
      `The ${this.kind} "${this.path}" was changed while job "${this.job}" read it (${this.reason}): ` +
      "nothing of it is kept. Run again when it is at rest."
    )
  }
}

/** Why something cannot be read: below it, `path` is the place. */
export interface Unreadable {
  readonly path: string
  readonly reason: string
}

/** Paths below a folder, sorted. */
export interface FileChanges {
  readonly added: ReadonlyArray<string>
  readonly removed: ReadonlyArray<string>
  readonly edited: ReadonlyArray<string>
}

export class ExternalInputs extends Context.Service<
  ExternalInputs,
  {
    /** Of all visible files below a folder by name and content, or of a file's bytes; as they are now. */
    readonly digest: (external: Pick<External, "kind" | "path">) => Effect.Effect<Digest, Unreadable>
    /** What differs between two contents of folders; `undefined` where one is not remembered. */
    readonly changes: (before: Digest, after: Digest) => Effect.Effect<FileChanges | undefined>
  }
>()("lib/workflow/ExternalInputs") {}

/** A stage with its params. */
type Applied = Pick<ArtifactRef<unknown>, "stage" | "params">

const declared = ({ params, stage }: Applied): ReadonlyArray<External> =>
  stage.externals?.(Schema.decodeUnknownSync(stage.params)(params) as never) ?? []

/** What a job reads from outside, as it is now. Fails where that cannot be read. */
export const recordsOf = Effect.fnUntraced(function* (job: string, applied: Applied) {
  const records: Record<string, ExternalRecord> = {}
  for (const { kind, name, path, pinned, standsFor } of declared(applied)) {
    if (records[name] !== undefined) {
      const message = `its stage declares two external inputs called "${name}"`
      return yield* new DefinitionError({ where: `job "${job}"`, message })
    }
    const read = (yield* ExternalInputs).digest({ kind, path })
    const digest =
      pinned ?? (yield* Effect.mapError(read, (error) => new ExternalUnreadable({ job, name, ...error })))
    records[name] = { kind, path, standsFor, digest, pinned: pinned !== undefined }
  }
  return records as ExternalRecords
})

/** Fails where something is no longer what it was when the job was planned. */
export const unchanged = Effect.fn("ExternalInputs.unchanged")(function* (
  job: string,
  records: ExternalRecords
) {
  for (const { digest, kind, path, pinned } of Object.values(records)) {
    if (pinned) continue
    const changed = (reason: string) => new ExternalChanged({ job, kind, path, reason })
    const now = yield* Effect.mapError((yield* ExternalInputs).digest({ kind, path }), (error) =>
      changed(`${error.path}: ${error.reason}`)
    )
    if (now !== digest) return yield* changed(`it was ${digest}, now it is ${now}`)
  }
})

export const externalDigests = (records: ExternalRecords): { readonly [name: string]: Digest } =>
  Object.fromEntries(Object.entries(records).map(([name, { digest }]) => [name, digest]))

const withoutLeaf = (
  params: Schema.JsonObject,
  [head, ...rest]: ReadonlyArray<string>
): Schema.JsonObject => {
  const { [head!]: inner, ...others } = params
  if (rest.length === 0) return others
  const isBranch = typeof inner === "object" && inner !== null && !Array.isArray(inner)
  return isBranch ? { ...others, [head!]: withoutLeaf(inner as Schema.JsonObject, rest) } : params
}

/** The params that enter the key: without the leaves that digests of external inputs stand for. */
export const keyParams = (params: Schema.JsonObject, records: ExternalRecords): Schema.JsonObject =>
  Object.values(records)
    .flatMap(({ standsFor }) => standsFor)
    .reduce((sofar, leaf) => withoutLeaf(sofar, leaf.split(".")), params)
