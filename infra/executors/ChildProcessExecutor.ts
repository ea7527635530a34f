/**
 * Runs every job in a process of its own: a crash, a leak or a blocked event loop stays there.
 *
 * The child gets an allow-listed environment and its own process group, so that the terminal's Ctrl-C reaches
 * only the parent. Interrupting `execute` kills the group.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { Effect, Layer } from "effect"
import {
  Executor,
  type JobControl,
  type JobError,
  JobInterrupted,
  type JobRequest,
  type JobResult,
  type JobSignal,
  StageFailed,
  WorkerLost
} from "../../lib/workflow/Executor.ts"
import { type CodeBundle, CodeBundles } from "../code/CodeClosure.ts"
import type { FromChild, ToChild } from "./messages.ts"

export interface ChildProcessOptions {
  /** The entry that calls `runChild`. */
  readonly childFile: string
  /** Flags for Node itself, before the entry. */
  readonly nodeFlags?: ReadonlyArray<string>
  /** All the child sees; see `childEnvironment`. */
  readonly environment: { readonly [name: string]: string }
}

/** Proxies and certificates are for files fetched by a job. */
const network =
  "HTTPS?_PROXY|NO_PROXY|https?_proxy|no_proxy|NODE_USE_ENV_PROXY|NODE_EXTRA_CA_CERTS|SSL_CERT_.*"
const allowed = new RegExp(`^(PATH|HOME|TMPDIR|LANG|XDG_CACHE_HOME|DISTILLERY_.*|AWS_.*|${network})$`)

/**
 * What a child may see of an environment. `numThreads` sizes libuv's pool, which native calls and sharp
 * share.
 */
export const childEnvironment = (
  environment: { readonly [name: string]: string | undefined },
  numThreads: number
): { readonly [name: string]: string } => ({
  ...Object.fromEntries(
    Object.entries(environment).flatMap(([name, value]) =>
      value !== undefined && allowed.test(name) ? [[name, value]] : []
    )
  ),
  UV_THREADPOOL_SIZE: String(numThreads)
})

const numTailLines = 30

/** The last lines a child printed, both streams as they came; each line is told, too. */
const keepTail = (child: ChildProcess, onLine: (line: string) => void): ReadonlyArray<string> => {
  const tail: Array<string> = []
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream! }).on("line", (line) => {
      tail.push(line)
      if (tail.length > numTailLines) tail.shift()
      onLine(line)
    })
  }
  return tail
}

/** The whole group: a body may have started processes of its own, which can outlive it. */
const killGroup = (child: ChildProcess): void => {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, "SIGKILL")
  } catch {
    // Nobody of the group is left.
  }
}

const start = (options: ChildProcessOptions): ChildProcess =>
  spawn(process.execPath, [...(options.nodeFlags ?? []), options.childFile], {
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    detached: true,
    env: { ...options.environment }
  })

const tell = (child: ChildProcess, message: ToChild): void => {
  if (child.connected) child.send(message, () => undefined)
}

const outcome = (
  request: JobRequest,
  message: Exclude<FromChild, { readonly _tag: "Signal" }>,
  tail: ReadonlyArray<string>
): Effect.Effect<JobResult, JobError> => {
  const { jobName, stage } = request
  switch (message._tag) {
    case "Done":
      return Effect.succeed(message.result)
    case "Stopped":
      return Effect.fail(new JobInterrupted({ jobName }))
    case "Failed": {
      const { errorTag, reason, transient } = message
      return Effect.fail(
        new StageFailed({ jobName, stage: stage.stageName, errorTag, reason, transient, logTail: [...tail] })
      )
    }
  }
}

/** Passes on what the job's control says, and never ends by itself: what comes of it is told by the child. */
const controlling = (child: ChildProcess, { kill, stop }: JobControl): Effect.Effect<never> =>
  Effect.gen(function* () {
    yield* stop
    tell(child, { _tag: "Stop" })
    yield* kill
    killGroup(child)
    return yield* Effect.never
  })

interface Followed {
  readonly child: ChildProcess
  readonly request: JobRequest
  readonly onSignal: (signal: JobSignal) => Promise<void>
}

/**
 * Settles when the child is gone, or could not be started, and all its signals are delivered, in order. Its
 * streams are read to the end, so the tail is whole.
 */
const follow = ({ child, request, onSignal }: Followed): Promise<Effect.Effect<JobResult, JobError>> =>
  new Promise((resolve, reject) => {
    let delivered = Promise.resolve()
    const deliver = (signal: JobSignal): void => {
      delivered = delivered.then(() => onSignal(signal))
      // At once, and not when the child ends by itself: letting go of it kills it.
      delivered.catch(reject)
    }
    const tail = keepTail(child, (line) => deliver({ _tag: "Output", line }))
    let last: Exclude<FromChild, { readonly _tag: "Signal" }> | undefined
    const lost = (how: string, transient = false) =>
      Effect.fail(new WorkerLost({ jobName: request.jobName, how, transient, logTail: [...tail] }))
    child.on("message", (message: FromChild) => {
      if (message._tag === "Signal") deliver(message.signal)
      else last = message
    })
    child.on("error", (error) => resolve(lost(`it could not be started: ${error.message}`)))
    // Processes it left behind would keep its pipes open, and "close" would never come.
    child.on("exit", () => killGroup(child))
    child.on("close", (code, signal) => {
      const how = signal === null ? `exit code ${code}` : `signal ${signal}`
      const ended = last === undefined ? lost(how, signal === "SIGKILL") : outcome(request, last, tail)
      delivered.then(() => resolve(ended), reject)
    })
  })

const bundleOf = (bundles: CodeBundles["Service"], request: JobRequest) =>
  Effect.mapError(
    bundles.of(request),
    ({ _tag, message }) =>
      new StageFailed({
        jobName: request.jobName,
        stage: request.stage.stageName,
        errorTag: _tag,
        reason: message,
        transient: false,
        logTail: []
      })
  )

export const childProcessExecutorLayer = (
  options: ChildProcessOptions
): Layer.Layer<Executor, never, CodeBundles> =>
  Layer.effect(
    Executor,
    Effect.gen(function* () {
      const bundles = yield* CodeBundles
      const running = new Set<ChildProcess>()
      let stopping = false

      /**
       * Decided in one go: a stop is asked for before, and nothing starts, or after, and the child is told.
       */
      const launch = (request: JobRequest, { file, root }: CodeBundle) =>
        Effect.suspend(() => {
          if (stopping) return Effect.fail(new JobInterrupted({ jobName: request.jobName }))
          const child = start(options)
          running.add(child)
          const { stage, ...rest } = request
          tell(child, {
            _tag: "Run",
            request: {
              ...rest,
              stageName: stage.stageName,
              pool: stage.pool ?? "cpu",
              bundleFile: file,
              packageRoot: root
            }
          })
          return Effect.succeed(child)
        })

      const end = (child: ChildProcess) =>
        Effect.sync(() => {
          running.delete(child)
          killGroup(child)
        })

      return {
        requestStop: Effect.sync(() => {
          stopping = true
          for (const child of running) tell(child, { _tag: "Stop" })
        }),
        execute: Effect.fn("ChildProcessExecutor.execute")(function* (request, onSignal, control) {
          const bundle = yield* bundleOf(bundles, request)
          const context = yield* Effect.context<never>()
          const emit = (signal: JobSignal) => Effect.runPromiseWith(context)(onSignal(signal))
          return yield* Effect.acquireUseRelease(
            launch(request, bundle),
            (child) => {
              const followed = Effect.flatten(
                Effect.promise(() => follow({ child, request, onSignal: emit }))
              )
              return control === undefined
                ? followed
                : Effect.raceFirst(followed, controlling(child, control))
            },
            end
          )
        })
      }
    })
  )
