/**
 * A stage: a kind of work with typed params, typed inputs and one typed output.
 *
 * The contract is light (no tensor library, no I/O); the body is loaded by a literal `import()` when a job
 * runs. Applying a stage gives an inert `ArtifactRef`; params are checked there and then, so a wrong pipeline
 * dies early.
 */
import { type Effect, Schema } from "effect"
import { type ArtifactRef, type ArtifactType, accepts, isRef, type RefInputs } from "./Artifact.ts"
import type { External } from "./ExternalInputs.ts"

/** A pipeline that makes no sense: a wrong param, a cycle, an unnamed job. */
export class DefinitionError extends Schema.TaggedError<DefinitionError>()("DefinitionError", {
  where: Schema.String,
  message: Schema.String
}) {}

/** An input that takes any number of artifacts of a kind, by name. */
export interface ManyInput<A> {
  readonly _tag: "Many"
  readonly type: ArtifactType<A>
}
export const many = <A>(type: ArtifactType<A>): ManyInput<A> => ({ _tag: "Many", type })

export interface StageInputs {
  readonly [name: string]: { readonly name: string } | { readonly _tag: "Many" }
}

export type RefsOf<I> = {
  readonly [K in keyof I]: I[K] extends ManyInput<infer A>
    ? { readonly [name: string]: ArtifactRef<A> }
    : I[K] extends ArtifactType<infer A>
      ? ArtifactRef<A>
      : never
}
export type ValuesOf<I> = {
  readonly [K in keyof I]: I[K] extends ManyInput<infer A>
    ? { readonly [name: string]: A }
    : I[K] extends ArtifactType<infer A>
      ? A
      : never
}

export type ParamsSchema = Schema.Codec<unknown, unknown>

/**
 * Pools of places for running jobs. `cpu`: many at once. `gpu`: jobs that compute with tensors and take the
 * accelerator, or without one the machine; one at a time unless a setting says otherwise.
 */
export type Pool = "cpu" | "gpu"

/**
 * For errors that may pass by themselves: a body's own error counts as one when it has `transient: true`, as
 * `StoreUnavailable` does. After `baseMillis` the job is tried again, later each time (twice as late, within
 * chance), at most `times` times.
 */
export interface Retries {
  readonly times: number
  readonly baseMillis: number
}

/** What a body module exports as `run`. */
export interface StageBody<P, V, A, E, R> {
  readonly run: (args: { readonly params: P; readonly inputs: V }) => Effect.Effect<A, E, R>
}

export interface OutputOfArgs {
  /** As they are stored: encoded, defaults filled in. */
  readonly params: Schema.JsonObject
  /** The kinds of the inputs that are one artifact each. */
  readonly inputs: { readonly [name: string]: ArtifactType<unknown> }
}

export interface StageOptions<P, PE, I, A, E, R> {
  readonly params: Schema.Codec<P, PE>
  readonly inputs: I
  readonly output: ArtifactType<A>
  /** Where `output` stands for several kinds: the one that follows from params and inputs. */
  readonly outputOf?: (args: OutputOfArgs) => ArtifactType<A>
  /** Services whose implementation changes results (image codec, ...): their identity enters the job key. */
  readonly resultServices?: ReadonlyArray<string>
  /** What the machine must offer for these params ("bfloat16"); checked while planning. */
  readonly capabilities?: (params: P) => ReadonlyArray<string>
  /**
   * What the params say to read from outside the store: folders and files of the user's own. The engine takes
   * the digest of each while planning and again when the body is done: with other content the job is another
   * job, and one whose files changed meanwhile fails. The body finds the digests in `JobContext.externals`.
   *
   *     externals: ({ labels }) => [
   *       { name: "labels", kind: "file", path: labels, standsFor: ["labels"] }
   *     ]
   */
  readonly externals?: (params: P) => ReadonlyArray<External>
  /** What its jobs occupy while they run; "cpu" by default. */
  readonly pool?: Pool
  /** How often a job is tried again; `defaultRetries` by default. Neither it nor a limit enters a key. */
  readonly retries?: Retries
  /** How long one attempt may take: it is then asked to stop, and killed if it does not. */
  readonly timeLimitMillis?: number
  /** Loads the body: `() => import("./<stage name>.run.ts")`, literally, so that its code can be hashed. */
  readonly run: () => Promise<StageBody<NoInfer<P>, ValuesOf<NoInfer<I>>, NoInfer<A>, E, R>>
}

export interface Stage<P, PE, I, A, E, R> extends StageOptions<P, PE, I, A, E, R> {
  (args: { readonly params: PE; readonly inputs: RefsOf<I> }): ArtifactRef<A>
  readonly stageName: string
}

/** A stage whose types are forgotten; the engine handles only these. */
export interface AnyStage {
  readonly stageName: string
  readonly params: ParamsSchema
  readonly inputs: { readonly [name: string]: ArtifactType<unknown> | ManyInput<unknown> }
  readonly output: ArtifactType<unknown>
  readonly outputOf?: (args: OutputOfArgs) => ArtifactType<unknown>
  readonly resultServices?: ReadonlyArray<string>
  readonly capabilities?: (params: never) => ReadonlyArray<string>
  readonly externals?: (params: never) => ReadonlyArray<External>
  readonly pool?: Pool
  readonly retries?: Retries
  readonly timeLimitMillis?: number
  readonly run: () => Promise<StageBody<never, never, unknown, unknown, unknown>>
}

/**
 * Checks params against a schema, unknown keys included, and returns their canonical (encoded, defaulted)
 * form.
 */
export const canonicalParams = (
  stageName: string,
  schema: ParamsSchema,
  params: unknown
): Schema.JsonObject => {
  const strict = { onExcessProperty: "error", errors: "all" } as const
  const decoded = Schema.decodeUnknownResult(schema, strict)(params)
  if (decoded._tag === "Failure") {
    throw new DefinitionError({
      where: `stage "${stageName}"`,
      message: `params are wrong: ${decoded.failure}`
    })
  }
  return Schema.encodeUnknownSync(schema)(decoded.success) as Schema.JsonObject
}

/** Throws `DefinitionError` for the first input that is missing or of another kind than the stage takes. */
const checkInputs = (stage: AnyStage, inputs: RefInputs): void => {
  const refusal = (message: string) =>
    new DefinitionError({ where: `stage "${stage.stageName}"`, message: `its input ${message}` })
  for (const [name, input] of Object.entries(stage.inputs)) {
    const given = inputs[name]
    if (given === undefined) throw refusal(`"${name}" is missing`)
    const wanted = "_tag" in input ? input.type : input
    const refs = isRef(given) ? [given] : Object.values(given)
    const wrong = refs.find((ref) => !accepts(wanted, ref.type))
    if (wrong === undefined) continue
    throw refusal(
      `"${name}" takes ${wanted.name}, not the ${wrong.type.name} of stage "${wrong.stage.stageName}"`
    )
  }
}

/** Applies a stage whose types are forgotten. Throws `DefinitionError` for wrong params or inputs. */
export const refOf = (stage: AnyStage, params: unknown, inputs: RefInputs): ArtifactRef<unknown> => {
  const canonical = canonicalParams(stage.stageName, stage.params, params)
  checkInputs(stage, inputs)
  const kinds = Object.entries(inputs).flatMap(([name, input]) => (isRef(input) ? [[name, input.type]] : []))
  const type = stage.outputOf?.({ params: canonical, inputs: Object.fromEntries(kinds) }) ?? stage.output
  return { _tag: "ArtifactRef", type, stage, params: canonical, inputs }
}

export const make = <P, PE, const I extends StageInputs, A, E, R>(
  stageName: string,
  options: StageOptions<P, PE, I, A, E, R>
): Stage<P, PE, I, A, E, R> => {
  const erased = { stageName, ...options } as unknown as AnyStage
  const apply = (args: { readonly params: PE; readonly inputs: RefsOf<I> }): ArtifactRef<A> =>
    refOf(erased, args.params, args.inputs as unknown as RefInputs) as ArtifactRef<A>
  return Object.assign(apply, { stageName, ...options })
}
