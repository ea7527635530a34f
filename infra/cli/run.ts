/** `distillery run` */
import { Effect, Layer, Schema } from "effect"
import type { Pipeline } from "../../lib/workflow/Pipeline.ts"
import { Reporter } from "../../lib/workflow/Reporter.ts"
import { Runner, type RunOutcome } from "../../lib/workflow/Runner.ts"
import { Report } from "../../stages/artifacts.ts"
import { childFile } from "../childFile.ts"
import { engineLayer } from "../layers.ts"
import { makeEventLog } from "../reporting/eventLog.ts"
import { makeLiveReporter } from "../reporting/liveReporter.ts"
import { makePlainReporter } from "../reporting/plainReporter.ts"
import { type RunDocument, runDocument } from "../reporting/RunDocument.ts"
import { quietReporter, type RunReporter } from "../reporting/RunReporter.ts"
import { nodeScreen } from "../reporting/Screen.ts"
import { countsLine, failedJobs, failureLines, resultLines, trafficLine } from "../reporting/summary.ts"
import { type CacheFlags, readWith, type SettingsValue } from "../settings.ts"
import { TrafficMeter } from "../stores/TrafficMeter.ts"
import { AlreadyReported, exitCodeOfTag, exitCodes, UsageError } from "./errors.ts"
import { type ExportedReport, exportReport, reportFolder } from "./exportReport.ts"
import { findPipeline, pipelineFileOf } from "./findPipeline.ts"
import { nextSteps, quoted } from "./nextSteps.ts"
import { Output, printJson } from "./Output.ts"
import { runLogFolder } from "./runs.ts"
import { runtimeNotices } from "./runtimeNotices.ts"
import { type SelectionFlags, selectionFrom, withOverrides } from "./selection.ts"
import { StopRequests } from "./stopRequests.ts"
import { annotateError, tellGitHub } from "./tellGitHub.ts"
import { timeLimitsFrom } from "./timeLimits.ts"

export interface RunFlags extends SelectionFlags, CacheFlags {
  readonly pipeline: string
  readonly set: ReadonlyArray<string>
  readonly concurrency: number | undefined
  readonly keepGoing: boolean
  readonly timeLimit: ReadonlyArray<string>
  readonly leaseTimeout: number | undefined
  readonly json: boolean
  readonly executor: "warm" | "fresh" | "in-process"
  readonly inProcess: boolean
  readonly strict: boolean
  readonly quiet: boolean
}

const executorOf = ({ executor, inProcess }: RunFlags) => (inProcess ? "in-process" : executor)

const shownBy = Effect.fn("shownBy")(function* (quiet: boolean) {
  const { canAnimate, errorPaint, tell } = yield* Output
  if (quiet) return quietReporter
  if (canAnimate) return yield* makeLiveReporter(nodeScreen(process.stderr), errorPaint)
  const context = yield* Effect.context<never>()
  return makePlainReporter((line) => Effect.runSyncWith(context)(tell([line])), errorPaint)
})

/** What is shown is kept, too: for `distillery log`. */
const makeReporter = Effect.fn("makeReporter")(function* (flags: RunFlags, settings: SettingsValue) {
  const shown: RunReporter = yield* shownBy(flags.quiet)
  const keep = yield* makeEventLog(runLogFolder(settings))
  return {
    announce: shown.announce,
    emit: (event) => Effect.andThen(keep(event), shown.emit(event))
  } satisfies RunReporter as RunReporter
})

/** Runs the jobs; the terminal is free again when this ends. */
const execute = Effect.fn("execute")(function* (
  flags: RunFlags,
  settings: SettingsValue,
  pipeline: Pipeline
) {
  const selection = yield* selectionFrom(pipeline, flags)
  const timeLimits = yield* timeLimitsFrom(pipeline, flags.timeLimit)
  const reporter = yield* makeReporter(flags, settings)
  const { errorPaint } = yield* Output
  const { onFirst } = yield* StopRequests
  const storeAbsence = (line: string): void => void Effect.runFork(reporter.emit({ _tag: "RunNote", line }))
  const meter = new TrafficMeter()
  const engine = engineLayer({
    settings,
    pipelineFile: pipelineFileOf(flags.pipeline),
    executor: executorOf(flags),
    strict: flags.strict,
    childFile: childFile(),
    notices: { ...runtimeNotices(reporter.announce), storeAbsence },
    meter
  }).pipe(Layer.provide(Layer.succeed(Reporter, reporter)))
  return yield* Effect.gen(function* () {
    const runner = yield* Runner
    const stopping = "stopping at the next step, the state is kept; press Ctrl-C again to kill"
    yield* onFirst(Effect.andThen(reporter.announce(errorPaint.yellow(stopping)), runner.requestStop))
    const outcome = yield* runner.run(pipeline, {
      selection,
      concurrency: flags.concurrency ?? settings.concurrency,
      gpuConcurrency: settings.gpuConcurrency,
      keepGoing: flags.keepGoing,
      timeLimits,
      ...(flags.leaseTimeout !== undefined && { waitMillisMax: flags.leaseTimeout * 1000 })
    })
    return { outcome, exported: yield* exportFrom(settings, outcome), traffic: meter.traffic }
  }).pipe(Effect.provide(engine))
}, Effect.scoped)

const decodeReport = Schema.decodeUnknownEffect(Report.schema)

/** The report of the run, if one of its jobs made one. */
const exportFrom = Effect.fn("exportFrom")(function* (
  settings: SettingsValue,
  { manifests, report }: RunOutcome
) {
  const made = Object.values(manifests).find(({ output }) => output.type === Report.name)
  if (made === undefined) return undefined
  const value = yield* Effect.orDie(decodeReport(made.output.value))
  return yield* exportReport(reportFolder(settings.projectDir, report.pipeline), value)
})

/** The command that does this once more with another selection, which holds no text of the user's. */
export const commandWith =
  (words: ReadonlyArray<string>, set: ReadonlyArray<string>) => (selection: string) =>
    [...words.map(quoted), selection, ...set.map((one) => `--set ${quoted(one)}`)].join(" ")

const tellFailures = Effect.fn("tellFailures")(function* (
  again: (selection: string) => string,
  pipeline: Pipeline,
  outcome: RunOutcome
) {
  const { errorPaint, tell } = yield* Output
  for (const failed of failedJobs(pipeline, outcome.report, (job) => again(`--only ${job}`))) {
    yield* tell(["", ...failureLines(failed, errorPaint)])
  }
})

/** The first failure decides: the others may follow from it. */
const exitCodeOf = ({ report }: RunOutcome, signalled: number | undefined): number => {
  if (report.status === "ok") return exitCodes.ok
  const failed = report.jobs.find((job) => job.error !== null)
  if (failed?.error == null) return signalled ?? exitCodes.SIGINT
  const code = exitCodeOfTag(failed.error.tag)
  return code === exitCodes.usage ? exitCodes.failed : code
}

/** What a run came to. */
export interface Ended {
  readonly outcome: RunOutcome
  readonly document: RunDocument
  readonly exported: ExportedReport | undefined
}

/** A pipeline to run, and what is said of it. */
export interface ToRun<E, R> {
  readonly pipeline: Pipeline
  /** The command that runs it again, with this selection. */
  readonly again: (selection: string) => string
  /** What stands in the terminal and in the document at the end. */
  readonly results: (
    ended: Ended
  ) => Effect.Effect<{ readonly lines: ReadonlyArray<string>; readonly document: object }, E, R>
}

/** Runs a pipeline and says what became of it. Fails with `AlreadyReported` where not all went well. */
export const runPipeline = Effect.fn("runPipeline")(function* <E, R>(
  flags: RunFlags,
  { again, pipeline, results }: ToRun<E, R>
) {
  const { errorPaint, print, tell } = yield* Output
  if (flags.strict && executorOf(flags) === "in-process") {
    return yield* new UsageError({
      what: "--strict and --in-process exclude each other",
      why: "what a job reads is watched in a process of its own"
    })
  }
  const settings = yield* readWith(flags)
  const { exported, outcome, traffic } = yield* execute(flags, settings, pipeline)
  yield* tellFailures(again, pipeline, outcome)
  const document = runDocument(pipeline, outcome, { traffic, reportFile: exported?.html })
  const said = yield* results({ outcome, document, exported })
  if (flags.json) {
    yield* printJson(said.document)
  } else {
    const moved = settings.store.kind === "s3" ? [trafficLine(traffic)] : []
    if (!flags.quiet) yield* tell(["", ...[countsLine(outcome.report), ...moved].map(errorPaint.dim)])
    const { lines } = said
    yield* print([...(lines.length > 0 ? ["", ...lines] : []), ...nextSteps(pipeline, outcome, exported)])
  }
  yield* tellGitHub(document, outcome.report)
  const exitCode = exitCodeOf(outcome, yield* (yield* StopRequests).exitCode)
  if (exitCode !== exitCodes.ok) return yield* new AlreadyReported({ exitCode })
})

export const run = Effect.fn("run")(function* (flags: RunFlags) {
  const { paint } = yield* Output
  const pipeline = yield* Effect.flatMap(findPipeline(flags.pipeline), (found) =>
    withOverrides(found, flags.set)
  )
  yield* runPipeline(flags, {
    pipeline,
    again: commandWith(["npx", "distillery", "run", flags.pipeline], flags.set),
    results: ({ document }) => Effect.succeed({ lines: resultLines(document.metrics, paint), document })
  })
}, Effect.tapError(annotateError))
