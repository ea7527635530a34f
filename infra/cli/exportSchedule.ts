/** `distillery schedule export crontab | github` */
import { writeFile } from "node:fs/promises"
import { dirname } from "node:path"
import { Clock, DateTime, Effect, Schema } from "effect"
import { carriedEnvironment } from "../schedule/carriedEnvironment.ts"
import { crontabLines } from "../schedule/crontab.ts"
import { localZone } from "../schedule/Timetable.ts"
import { read, type SettingsValue } from "../settings.ts"
import { makeFolder } from "../stores/makeFolder.ts"
import { UsageError } from "./errors.ts"
import { Output } from "./Output.ts"
import { programFile } from "./programFile.ts"
import { asUsage, chosen, schedulesLayerOf } from "./schedule.ts"

const toExport = Effect.fn("exportSchedule.toExport")(function* (
  settings: SettingsValue,
  name: string | undefined
) {
  const schedules = yield* chosen(name).pipe(Effect.provide(schedulesLayerOf(settings)), asUsage)
  const [first, ...rest] = schedules
  if (first !== undefined) return [first, ...rest] as const
  return yield* new UsageError({
    what: "there is no schedule to export",
    fix: 'Add one: npx distillery schedule add "30 2 * * *" quickstart --name nightly'
  })
})

export const exportCrontab = Effect.fn("exportCrontab")(function* (flags: {
  readonly name: string | undefined
}) {
  const settings = yield* read
  const schedules = yield* toExport(settings, flags.name)
  const lines = crontabLines(schedules, {
    projectDir: settings.projectDir,
    nodeFile: process.execPath,
    programFile: programFile(),
    environment: settings.environment,
    nowMillis: yield* Clock.currentTimeMillis
  })
  const { print } = yield* Output
  yield* print(
    yield* Effect.mapError(Effect.fromResult(lines), ({ fix, what }) => new UsageError({ what, fix }))
  )
})

export class FileNotWritten extends Schema.TaggedError<FileNotWritten>()("FileNotWritten", {
  file: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `${this.file} could not be written: ${this.reason}`
  }
}

const writeText = (file: string, text: string) =>
  Effect.tryPromise({
    try: async () => {
      await makeFolder(dirname(file))
      await writeFile(file, text)
    },
    catch: (error) => new FileNotWritten({ file, reason: (error as Error).message })
  })

/** Of our variables those that mean the same on another machine: paths and proxies do not. */
const portableVariables = /^(DISTILLERY_BACKEND|AWS_(DEFAULT_)?REGION|AWS_ENDPOINT_URL(_S3)?)$/

export const exportGithub = Effect.fn("exportGithub")(function* (flags: {
  readonly name: string | undefined
  readonly output: string | undefined
}) {
  const settings = yield* read
  const [schedule, ...others] = yield* toExport(settings, flags.name)
  if (others.length > 0) {
    return yield* new UsageError({
      what: "a workflow is made from one schedule",
      fix: `Name one of ${[schedule, ...others].map(({ name }) => name).join(", ")}`
    })
  }
  const { values } = carriedEnvironment(settings.environment)
  const bucket = values.find(([name, value]) => name === "DISTILLERY_STORE" && value.startsWith("s3://"))?.[1]
  const { githubWorkflow } = yield* Effect.promise(() => import("../schedule/githubWorkflow.ts"))
  const workflow = githubWorkflow(schedule, {
    localZone: DateTime.zoneToString(localZone()),
    ...(bucket !== undefined && { bucket }),
    environment: Object.fromEntries(values.filter(([name]) => portableVariables.test(name)))
  })
  const { print, tell } = yield* Output
  if (flags.output === undefined) return yield* print([workflow.trimEnd()])
  yield* writeText(flags.output, workflow)
  yield* tell([`written to ${flags.output}; GitHub runs it once it is on the default branch`])
})
