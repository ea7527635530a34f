/**
 * What passes between stages: a kind (`ArtifactType`), and an inert handle to one that is not made yet
 * (`ArtifactRef`).
 */
import type { Schema } from "effect"
import type { AnyStage } from "./Stage.ts"

/** A kind of artifact: a name and the schema of its JSON value, which points to its bytes by `BlobRef`s. */
export interface ArtifactType<A> {
  readonly name: string
  readonly schema: Schema.Codec<A, unknown>
}

export const type = <A>(name: string, schema: Schema.Codec<A, unknown>): ArtifactType<A> => ({ name, schema })

/**
 * A handle to the artifact that a stage would make from these params and inputs. Making one runs nothing.
 * `params` are the encoded ones, defaults filled in, checked against the stage's schema.
 */
export interface ArtifactRef<A> {
  readonly _tag: "ArtifactRef"
  readonly type: ArtifactType<A>
  readonly stage: AnyStage
  readonly params: Schema.JsonObject
  readonly inputs: RefInputs
}

/** One input is one ref, or a record of refs where the stage takes many of a kind. */
export type RefInput = ArtifactRef<unknown> | { readonly [name: string]: ArtifactRef<unknown> }
export interface RefInputs {
  readonly [input: string]: RefInput
}

export const isRef = (input: RefInput): input is ArtifactRef<unknown> =>
  (input as { readonly _tag?: unknown })._tag === "ArtifactRef"
