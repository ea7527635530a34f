/**
 * Strict mode: an executor that watches what bodies read, and takes no result that depends on what the job's
 * key does not know of. Undeclared are also changes to an installed package that its locked integrity hides.
 */
import { Effect, Layer } from "effect"
import { CodeClosure, namesIn } from "../../lib/workflow/CodeClosure.ts"
import { Executor, type JobRequest, StageFailed } from "../../lib/workflow/Executor.ts"
import { type Leak, UndeclaredReads } from "../../lib/workflow/Leak.ts"
import { CodeBundles } from "../code/CodeClosure.ts"
import { type InstalledPackage, lockedPackages } from "../code/lockedPackages.ts"
import { checkPackages, type PackageCheck } from "./packageContents.ts"

const failed = ({ jobName, stage }: JobRequest, errorTag: string, reason: string) =>
  new StageFailed({
    jobName,
    stage: stage.stageName,
    errorTag,
    reason,
    transient: false,
    logTail: []
  })

const refused = (request: JobRequest, leaks: ReadonlyArray<Leak>) => {
  const { jobName, stage } = request
  const { _tag, message } = new UndeclaredReads({ jobName, stage: stage.stageName, leaks })
  return failed(request, _tag, message)
}

/** The packages that the code of a job uses, where they lie. */
const packagesOf = Effect.fn("StrictExecutor.packagesOf")(
  function* (request: JobRequest) {
    const { inputs, params, stage } = request
    const { identity } = yield* (yield* CodeClosure).of({
      stageName: stage.stageName,
      resultServices: stage.resultServices ?? [],
      names: () => namesIn([params, inputs])
    })
    const { root } = yield* (yield* CodeBundles).of(request)
    const wanted = Object.keys(identity.packages)
    return lockedPackages(root, wanted).installed.filter(({ name }) => wanted.includes(name))
  },
  (found, request) => Effect.mapError(found, ({ _tag, message }) => failed(request, _tag, message))
)

/** A package is compared once, whatever jobs use it. */
const makeCheck = () => {
  const checks = new Map<string, Promise<PackageCheck>>()
  const checked = (packages: ReadonlyArray<InstalledPackage>): Promise<PackageCheck> => {
    const fresh = packages.filter(({ folder }) => !checks.has(folder))
    const check = checkPackages(fresh)
    for (const { folder, name } of fresh) checks.set(folder, check.then(ofPackage(name)))
    return Promise.all(packages.map(({ folder }) => checks.get(folder)!)).then(joined)
  }
  return (packages: ReadonlyArray<InstalledPackage>) => Effect.promise(() => checked(packages))
}

const ofPackage =
  (name: string) =>
  ({ leaks, unchecked }: PackageCheck): PackageCheck => ({
    leaks: leaks.filter(({ what }) => what.startsWith(`${name} `)),
    unchecked: unchecked.filter((one) => one === name)
  })

const joined = (checks: ReadonlyArray<PackageCheck>): PackageCheck => ({
  leaks: checks.flatMap(({ leaks }) => leaks),
  unchecked: [...new Set(checks.flatMap(({ unchecked }) => unchecked))]
})

export const strictExecutorLayer = <E, R>(
  inner: Layer.Layer<Executor, E, R>
): Layer.Layer<Executor, E, R | CodeBundles | CodeClosure> =>
  Layer.effect(
    Executor,
    Effect.gen(function* () {
      const executor = yield* Executor
      const code = yield* Effect.context<CodeBundles | CodeClosure>()
      const check = makeCheck()
      return {
        requestStop: executor.requestStop,
        execute: Effect.fn("StrictExecutor.execute")(function* (request, onSignal, control) {
          const packages = yield* Effect.provideContext(packagesOf(request), code)
          const { leaks: changed, unchecked } = yield* check(packages)
          if (unchecked.length > 0) {
            const line = `not compared with what was published, for want of it: ${unchecked.join(", ")}`
            yield* onSignal({ _tag: "Note", line })
          }
          const result = yield* executor.execute({ ...request, watch: { declared: [] } }, onSignal, control)
          const leaks = [...changed, ...(result.leaks ?? [])]
          return leaks.length > 0 ? yield* refused(request, leaks) : result
        })
      }
    })
  ).pipe(Layer.provide(inner))
