/**
 * What passes between stages: a kind (`ArtifactType`), and an inert handle to one that is not made yet
 * (`ArtifactRef`).
 */
import { Schema } from "effect"
import type { AnyStage } from "./Stage.ts"

/** A kind of artifact: a name and the schema of its JSON value, which points to its bytes by `BlobRef`s. */
export interface ArtifactType<A> {
  readonly name: string
  readonly schema: Schema.Codec<A, unknown>
  /** Of a type that stands for several kinds: which. */
  readonly kinds?: ReadonlyArray<ArtifactType<A>>
}

export const type = <A>(name: string, schema: Schema.Codec<A, unknown>): ArtifactType<A> => ({ name, schema })

/** Any of several kinds: for an input that takes each of them, an output that may be each of them. */
export const oneOf = <A>(...kinds: ReadonlyArray<ArtifactType<A>>): ArtifactType<A> => ({
  name: kinds.map((kind) => kind.name).join(" or "),
  schema: Schema.Union(kinds.map((kind) => kind.schema)) as Schema.Codec<A, unknown>,
  kinds
})

/** Whether an artifact of kind `given` may stand where `wanted` is asked for. */
export const accepts = (wanted: ArtifactType<unknown>, given: ArtifactType<unknown>): boolean => {
  const names = (type: ArtifactType<unknown>) => (type.kinds ?? [type]).map((kind) => kind.name)
  return names(given).every((name) => names(wanted).includes(name))
}

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
