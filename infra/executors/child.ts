/**
 * The child's side of `ChildProcessExecutor`: runs one job, tells how it went, ends.
 *
 * It never publishes. It ignores the terminal's SIGINT, which the parent turns into a `Stop`, and ends at
 * once when the parent is gone: nobody would publish what it makes.
 */
import { registerHooks } from "node:module"
import { pathToFileURL } from "node:url"
import { Cause, Effect, Exit, type Layer, Option } from "effect"
import type { Hasher } from "../../lib/storage/Digest.ts"
import type { ObjectStore } from "../../lib/storage/ObjectStore.ts"
import type { JobError } from "../../lib/workflow/Executor.ts"
import type { Leak } from "../../lib/workflow/Leak.ts"
import { runBody } from "../../lib/workflow/runBody.ts"
import type { AnyStage } from "../../lib/workflow/Stage.ts"
import type { ChildRequest, FromChild, ToChild } from "./messages.ts"

export type { ChildRequest } from "./messages.ts"

const isBare = (specifier: string): boolean => !/^(\.|\/|node:|file:|data:)/.test(specifier)

/** Bundles may lie anywhere; their packages are those of the package they were made from. */
const resolvePackagesFrom = (packageRoot: string, bundleUrl: string): void => {
  const root = pathToFileURL(`${packageRoot}/package.json`).href
  registerHooks({
    resolve: (specifier, context, next) =>
      isBare(specifier) && context.parentURL === bundleUrl
        ? next(specifier, { ...context, parentURL: root })
        : next(specifier, context)
  })
}

const loadStage = async (request: ChildRequest): Promise<AnyStage> => {
  const url = pathToFileURL(request.bundleFile).href
  resolvePackagesFrom(request.packageRoot, url)
  const exported: { readonly [name: string]: unknown } = await import(url)
  const stage = Object.values(exported).find(
    (value) => (value as Partial<AnyStage> | null)?.stageName === request.stageName
  )
  if (stage !== undefined) return stage as AnyStage
  throw new Error(`${request.bundleFile} exports no stage called "${request.stageName}"`)
}

interface Watched {
  readonly leaks: ReadonlyArray<Leak>
  readonly within: <A, E, R>(job: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

/** In strict mode sets the traps of this process, before anything of the stage is loaded. */
const watch = async ({ bundleFile, packageRoot, watch }: ChildRequest): Promise<Watched> => {
  if (watch === undefined) return { leaks: [], within: (job) => job }
  const { effectTraps, setTraps } = await import("../strict/traps.ts")
  const leaks: Array<Leak> = []
  const report = (leak: Leak) => void leaks.push(leak)
  const bundleUrl = pathToFileURL(bundleFile).href
  process.setSourceMapsEnabled(true)
  setTraps({ bundleUrl, root: packageRoot, declared: watch.declared, report })
  return { leaks, within: Effect.provide(effectTraps(report)) }
}

/** Resolves when the message has left this process. */
const send = (message: FromChild): Promise<void> =>
  new Promise((resolve) => {
    if (process.connected) process.send!(message, () => resolve())
    else resolve()
  })

const failed = (errorTag: string, reason: string, transient = false): FromChild => ({
  _tag: "Failed",
  errorTag,
  reason,
  transient
})

const outcomeOf = (exit: Exit.Exit<Extract<FromChild, { _tag: "Done" }>["result"], unknown>): FromChild => {
  if (Exit.isSuccess(exit)) return { _tag: "Done", result: exit.value }
  const error = Cause.findErrorOption(exit.cause) as Option.Option<JobError>
  if (Option.isNone(error)) return failed("Defect", Cause.pretty(exit.cause))
  if (error.value._tag === "JobInterrupted") return { _tag: "Stopped" }
  if (error.value._tag === "StageFailed") {
    return failed(error.value.errorTag, error.value.reason, error.value.transient)
  }
  return failed("ServicesUnavailable", `the services it needs cannot be made: ${error.value.message}`)
}

const runJob = async <R, E>(
  request: ChildRequest,
  layer: Layer.Layer<R | ObjectStore | Hasher, E>,
  isStopping: () => boolean
): Promise<FromChild> => {
  const watched = await watch(request)
  const stage = await loadStage(request)
  const job = runBody(
    { ...request, stage },
    {
      onSignal: (signal) => Effect.promise(() => send({ _tag: "Signal", signal })),
      stopRequested: Effect.sync(isStopping)
    }
  )
  const outcome = outcomeOf(await Effect.runPromiseExit(Effect.provide(watched.within(job), layer)))
  return outcome._tag === "Done"
    ? { ...outcome, result: { ...outcome.result, leaks: watched.leaks } }
    : outcome
}

/**
 * The whole life of a child process. `layerFor` gives storage and all services that a body of this job may
 * ask for; it is called once, so that a job of the pool `cpu` need not load what only training needs.
 */
export const runChild = <R, E>(
  layerFor: (request: ChildRequest) => Layer.Layer<R | ObjectStore | Hasher, E>
): void => {
  let stopping = false
  process.on("SIGINT", () => undefined)
  process.on("disconnect", () => process.exit(1))
  process.on("message", (message: ToChild) => {
    if (message._tag === "Stop") {
      stopping = true
      return
    }
    const { request } = message
    Promise.resolve()
      .then(() => runJob(request, layerFor(request), () => stopping))
      .catch((error: unknown) => failed("BodyUnloadable", String((error as Error).stack ?? error)))
      .then(send)
      // Not left to run out by itself: native libraries keep threads that would hold the process.
      .then(() => process.exit(0))
  })
}
