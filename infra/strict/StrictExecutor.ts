/**
 * Strict mode: an executor that watches what bodies read, and takes no result that depends on what the job's
 * key does not know of. Undeclared are also changes to an installed package that its locked integrity hides.
 */
import { Effect, Layer } from "effect"
import { Executor, type JobRequest, type JobResult, StageFailed } from "../../lib/workflow/Executor.ts"
import { type Leak, UndeclaredReads } from "../../lib/workflow/Leak.ts"
import { checkPackages, type LockedPackage, type PackageCheck } from "./packageContents.ts"

export interface StrictOptions {
  /** The packages that the code of a job's stage uses. */
  readonly packagesOf: (request: JobRequest) => Effect.Effect<ReadonlyArray<LockedPackage>>
}

const refused = ({ jobName, stage }: JobRequest, leaks: ReadonlyArray<Leak>) => {
  const { _tag, message } = new UndeclaredReads({ jobName, stage: stage.stageName, leaks })
  return new StageFailed({
    jobName,
    stage: stage.stageName,
    errorTag: _tag,
    reason: message,
    transient: false,
    logTail: []
  })
}

const make = (inner: Executor["Service"], { packagesOf }: StrictOptions): Executor["Service"] => {
  const checks = new Map<string, Promise<PackageCheck>>()
  const checked = (packages: ReadonlyArray<LockedPackage>): Promise<PackageCheck> => {
    const id = packages.map(({ folder, identity }) => `${folder} ${identity}`).join("\n")
    const check = checks.get(id) ?? checkPackages(packages)
    checks.set(id, check)
    return check
  }
  return {
    requestStop: inner.requestStop,
    execute: Effect.fn("StrictExecutor.execute")(function* (request, onSignal, control) {
      const packages = yield* packagesOf(request)
      const { leaks: changed, unchecked } = yield* Effect.promise(() => checked(packages))
      if (unchecked.length > 0) {
        const line = `not compared with what was published, for want of it: ${unchecked.join(", ")}`
        yield* onSignal({ _tag: "Note", line })
      }
      const result: JobResult = yield* inner.execute(
        { ...request, watch: { declared: Object.values(request.externals).map(({ path }) => path) } },
        onSignal,
        control
      )
      const leaks = [...changed, ...(result.leaks ?? [])]
      if (leaks.length > 0) return yield* refused(request, leaks)
      return result
    })
  }
}

export const strictExecutorLayer = <E, R>(
  options: StrictOptions,
  inner: Layer.Layer<Executor, E, R>
): Layer.Layer<Executor, E, R> =>
  Layer.effect(
    Executor,
    Effect.map(Executor, (executor) => make(executor, options))
  ).pipe(Layer.provide(inner))
