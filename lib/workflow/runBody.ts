/**
 * Runs a stage's body for one job: decodes its params and inputs, offers it a `JobContext`, encodes its
 * output. Every executor does its work through this function, whatever the process it runs in.
 */
import { Cause, Effect, Exit, Layer, Option, Ref, Schema } from "effect"
import { BlobStore } from "../storage/BlobStore.ts"
import type { Hasher } from "../storage/Digest.ts"
import { ObjectStore } from "../storage/ObjectStore.ts"
import { type JobError, JobInterrupted, type JobRequest, type JobSignal, StageFailed } from "./Executor.ts"
import { externalDigests } from "./ExternalInputs.ts"
import * as Fold from "./Fold.ts"
import { JobContext } from "./JobContext.ts"
import * as ResumePoint from "./ResumePoint.ts"
import { readingAhead } from "./readAhead.ts"
import type { AnyStage } from "./Stage.ts"
import type { StateSeals } from "./StateSeals.ts"

export interface BodyLink {
  readonly onSignal: (signal: JobSignal) => Effect.Effect<void>
  readonly stopRequested: Effect.Effect<boolean>
}

interface Failing {
  readonly jobName: string
  readonly stage: AnyStage
}

const failure = ({ jobName, stage }: Failing, errorTag: string, reason: string, transient = false) =>
  new StageFailed({ jobName, stage: stage.stageName, errorTag, reason, transient, logTail: [] })

const decoded = (request: JobRequest, what: string, schema: Schema.Codec<unknown, unknown>, value: unknown) =>
  Schema.decodeUnknownEffect(schema)(value).pipe(
    Effect.mapError((error) => failure(request, "InputUnfit", `its ${what} does not fit: ${error.message}`))
  )

const decodedInput = (request: JobRequest, name: string) => {
  const input = request.stage.inputs[name]
  const value = request.inputs[name]
  if (input === undefined) return Effect.fail(failure(request, "InputUnfit", `it has no input "${name}"`))
  if (!("_tag" in input)) return decoded(request, `input "${name}"`, input.schema, value)
  return Effect.forEach(Object.entries(value as Schema.JsonObject), ([key, one]) =>
    Effect.map(decoded(request, `input "${name}.${key}"`, input.type.schema, one), (a) => [key, a] as const)
  ).pipe(Effect.map(Object.fromEntries))
}

const contextOf = Effect.fn("runBody.contextOf")(function* (
  request: JobRequest,
  link: BodyLink,
  facts: Ref.Ref<Schema.JsonObject>
) {
  const services = yield* Effect.context<ObjectStore | Hasher | StateSeals>()
  const note = (line: string) => link.onSignal({ _tag: "Note", line })
  const provenance = (more: Schema.JsonObject) => Ref.update(facts, (sofar) => ({ ...sofar, ...more }))
  const { foldOrigin, jobKey } = request
  const place = { scope: foldOrigin.scope, jobKey }
  return JobContext.of({
    jobName: request.jobName,
    externals: externalDigests(request.externals),
    report: (progress) => link.onSignal({ _tag: "Progress", progress }),
    note,
    stopRequested: link.stopRequested,
    // A job that is to be computed again goes on only from what its own run has saved.
    loadResumePoint: ResumePoint.load(place, foldOrigin.fromScratch ? foldOrigin.runId : undefined).pipe(
      Effect.tap(({ problem }) =>
        problem === undefined ? Effect.void : note(`its saved state is not used: ${problem}; it starts anew`)
      ),
      Effect.map(({ bytes }) => bytes),
      Effect.provideContext(services)
    ),
    saveResumePoint: (bytes) =>
      Effect.provideContext(ResumePoint.save(place, foldOrigin.runId, bytes), services),
    fold: (options) =>
      Effect.provideContext(Fold.make({ ...foldOrigin, jobKey, note, provenance }, options), services),
    provenance
  })
})

const messageOf = (error: unknown): string => {
  const message = (error as { readonly message?: unknown } | null)?.message
  return typeof message === "string" && message !== "" ? message : String(error)
}

/** What is looked at of whatever a body fails with. */
interface OwnError {
  readonly _tag?: unknown
  readonly transient?: unknown
}

/** The closed set of job errors, from whatever a body fails with. Interruption stays interruption. */
const asJobError = (request: JobRequest, cause: Cause.Cause<unknown>): Effect.Effect<never, JobError> => {
  const error = Cause.findErrorOption(cause)
  if (Option.isSome(error)) {
    if (error.value instanceof StageFailed) return Effect.fail(error.value)
    const { _tag: tag, transient } = (error.value ?? {}) as OwnError
    if (tag === "JobStopped") return Effect.fail(new JobInterrupted({ jobName: request.jobName }))
    const name = typeof tag === "string" ? tag : "Error"
    return Effect.fail(failure(request, name, messageOf(error.value), transient === true))
  }
  if (Cause.hasInterruptsOnly(cause)) return Effect.failCause(cause as Cause.Cause<never>)
  const squashed = Cause.squash(cause)
  const stack = squashed instanceof Error && squashed.stack !== undefined ? squashed.stack : String(squashed)
  return Effect.fail(failure(request, "Defect", stack))
}

/** Blobs of a store elsewhere are fetched ahead of the body that reads them. */
const remoteBlobs = Effect.fnUntraced(function* ({ inputs }: JobRequest) {
  const blobs = Option.getOrUndefined(yield* Effect.serviceOption(BlobStore))
  return (yield* ObjectStore).isLocal || blobs === undefined
    ? Layer.empty
    : Layer.succeed(BlobStore, yield* readingAhead(blobs, inputs))
})

const run = Effect.fn("runBody.run")(function* (request: JobRequest, link: BodyLink) {
  const { stage } = request
  const params = yield* decoded(request, "params", stage.params, request.params)
  const inputs: Record<string, unknown> = {}
  for (const name of Object.keys(request.inputs)) inputs[name] = yield* decodedInput(request, name)
  const body = yield* Effect.tryPromise({
    try: () => stage.run(),
    catch: (error) => failure(request, "BodyUnloadable", `its code cannot be loaded: ${messageOf(error)}`)
  })
  const facts = yield* Ref.make<Schema.JsonObject>({})
  const context = yield* contextOf(request, link, facts)
  const made = body.run({ params: params as never, inputs: inputs as never }) as Effect.Effect<
    unknown,
    unknown
  >
  const output = yield* made.pipe(
    Effect.provideService(JobContext, context),
    Effect.provide(yield* remoteBlobs(request))
  )
  const value = yield* Schema.encodeUnknownEffect(stage.output.schema)(output).pipe(
    Effect.mapError((error) =>
      failure(request, "OutputUnfit", `its output is no "${stage.output.name}": ${error.message}`)
    )
  )
  return { value: value as Schema.Json, provenance: yield* Ref.get(facts) }
}, Effect.scoped)

/**
 * The body's services (`JobContext` apart) are taken from the surrounding context: stages forget which ones
 * they need, so an executor must provide all that any stage may ask for.
 */
export const runBody = (request: JobRequest, link: BodyLink) =>
  Effect.exit(run(request, link)).pipe(
    Effect.flatMap((exit) =>
      Exit.isSuccess(exit) ? Effect.succeed(exit.value) : asJobError(request, exit.cause)
    )
  )
