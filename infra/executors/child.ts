/**
 * The child's side of `ChildProcessExecutor`: runs a job, tells how it went, waits for the next one or ends.
 *
 * It never publishes. It ignores the terminal's SIGINT, which the parent turns into a `Stop`, and ends at
 * once, with all it started, when the parent is gone: nobody would publish what it makes.
 */
import { flushCompileCache } from "node:module"
import { pathToFileURL } from "node:url"
import { Cause, Effect, Exit, type Layer, ManagedRuntime, type Option } from "effect"
import type { Hasher } from "../../lib/storage/Digest.ts"
import type { ObjectStore } from "../../lib/storage/ObjectStore.ts"
import type { JobError, JobResult } from "../../lib/workflow/Executor.ts"
import type { Leak } from "../../lib/workflow/Leak.ts"
import { runBody } from "../../lib/workflow/runBody.ts"
import { StateSeals } from "../../lib/workflow/StateSeals.ts"
import type { TrafficMeter } from "../stores/TrafficMeter.ts"
import { type Baseline, clearLeftovers, takeBaseline } from "./leftovers.ts"
import { loadStage } from "./loadStage.ts"
import { type ChildRequest, type FromChild, type JobEnding, outputEnd, type ToChild } from "./messages.ts"
import { askParent } from "./stateQuestions.ts"

export type { ChildRequest } from "./messages.ts"

/** A process that has served so many jobs, or grown so much, makes room for a new one. */
const numJobsMax = 100
const growthMaxBytes = 256 * 2 ** 20

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

/** The parent has the key. */
const parent = askParent((id, question) => void send({ _tag: "Question", id, question }))

/** Resolves when the message has left this process. */
const send = (message: FromChild): Promise<void> =>
  new Promise((resolve) => {
    if (process.connected) process.send!(message, () => resolve())
    else resolve()
  })

const failed = (errorTag: string, reason: string, transient = false): JobEnding => ({
  _tag: "Failed",
  errorTag,
  reason,
  transient
})

const endingOf = (exit: Exit.Exit<JobResult, unknown>): JobEnding => {
  if (Exit.isSuccess(exit)) return { _tag: "Done", result: exit.value, isReusable: false }
  const error = Cause.findErrorOption(exit.cause) as Option.Option<JobError>
  if (error._tag === "None") return failed("Defect", Cause.pretty(exit.cause))
  if (error.value._tag === "JobInterrupted") return { _tag: "Stopped" }
  if (error.value._tag === "StageFailed") {
    return failed(error.value.errorTag, error.value.reason, error.value.transient)
  }
  return failed("ServicesUnavailable", `the services it needs cannot be made: ${error.value.message}`)
}

type LayerFor<R, E> = (request: ChildRequest) => Layer.Layer<R | ObjectStore | Hasher, E>

/** What a process that serves jobs keeps between them. */
interface Serving<R, E> {
  readonly services: ManagedRuntime.ManagedRuntime<R | ObjectStore | Hasher, E>
  readonly baseline: Baseline
  readonly startBytes: number
  numJobs: number
}

/** All is loaded by then: what is there more of after a job, the job has left. */
const startServing = async <R, E>(layer: Layer.Layer<R | ObjectStore | Hasher, E>) => {
  const services = ManagedRuntime.make(layer)
  await services.runPromiseExit(Effect.void)
  // Opened now, as a body may print.
  process.stdout.write("")
  process.stderr.write("")
  const startBytes = process.memoryUsage.rss()
  return { services, baseline: takeBaseline(), startBytes, numJobs: 0 }
}

const canServeOn = async <R, E>({ baseline, numJobs, startBytes }: Serving<R, E>): Promise<boolean> => {
  if (!process.stdout.writable || !process.stderr.writable) return false
  if (numJobs >= numJobsMax || process.memoryUsage.rss() - startBytes > growthMaxBytes) return false
  return (await clearLeftovers(baseline)) === undefined
}

const runJob = async <R, E>(
  { services }: Serving<R, E>,
  watched: Watched,
  request: ChildRequest,
  isStopping: () => boolean
): Promise<JobEnding> => {
  const stage = await loadStage(request)
  const job = runBody(
    { ...request, stage },
    {
      onSignal: (signal) => Effect.promise(() => send({ _tag: "Signal", signal })),
      stopRequested: Effect.sync(isStopping)
    }
  ).pipe(Effect.provideService(StateSeals, parent.seals))
  const ending = endingOf(await services.runPromiseExit(watched.within(job)))
  return ending._tag === "Done" ? { ...ending, result: { ...ending.result, leaks: watched.leaks } } : ending
}

/** Services are let go of before the job counts as ended: they may have something to write. */
const endWith = async <R, E>(
  ending: JobEnding,
  serving: Serving<R, E> | undefined,
  meter: TrafficMeter | undefined
): Promise<void> => {
  await serving?.services.dispose()
  await tellTraffic(meter)
  await send(ending)
  // Not left to run out by itself: native libraries keep threads that would hold the process.
  process.exit(0)
}

const tellTraffic = async (meter: TrafficMeter | undefined): Promise<void> => {
  if (meter !== undefined) await send({ _tag: "Traffic", traffic: meter.take() })
}

const endOutput = (): void => {
  process.stdout.write(`${outputEnd}\n`)
  process.stderr.write(`${outputEnd}\n`)
}

/** Nobody is left to tell. Its own group, which its parent gave it: all that a job has started. */
const endAsOrphan = (): void => {
  try {
    process.kill(-process.pid, "SIGKILL")
  } finally {
    process.exit(1)
  }
}

/**
 * The whole life of a child process. `layerFor` gives storage and all services that a body of this job may
 * ask for; it is called once, for the first job, so that a job of the pool `cpu` need not load what only
 * training needs. `meter` counts what these services move.
 */
export const runChild = <R, E>(layerFor: LayerFor<R, E>, meter?: TrafficMeter): void => {
  let stopping = false
  let serving: Serving<R, E> | undefined
  const serve = async (request: ChildRequest, isLast: boolean): Promise<void> => {
    const watched = await watch(request)
    serving ??= await startServing(layerFor(request))
    serving.numJobs += 1
    const ending = await runJob(serving, watched, request, () => stopping)
    const livesOn = ending._tag === "Done" && !isLast && (await canServeOn(serving))
    if (!livesOn) return endWith(ending, serving, meter)
    endOutput()
    await tellTraffic(meter)
    await send({ ...ending, isReusable: true })
    flushCompileCache()
  }
  process.on("SIGINT", () => undefined)
  process.on("disconnect", endAsOrphan)
  process.on("message", (message: ToChild) => {
    if (message._tag === "Answer") return parent.onAnswer(message.id, message.answer)
    stopping = message._tag === "Stop"
    if (message._tag === "Stop") return
    serve(message.request, message.isLast).catch((error: unknown) =>
      endWith(failed("BodyUnloadable", String((error as Error).stack ?? error)), serving, meter)
    )
  })
}
