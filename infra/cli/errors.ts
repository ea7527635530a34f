/** How errors leave the program: one place decides their words on the terminal and the exit code. */
import { Cause, Option, Schema } from "effect"
import { type Paint, printable } from "../reporting/paint.ts"

/** See the list of exit codes in README.md. */
export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  pending: 3,
  integrity: 4,
  leaseTimeout: 5,
  gate: 6,
  SIGINT: 130,
  SIGTERM: 143
} as const

/** What the user asked for makes no sense: what, why, and what to do instead. */
export class UsageError extends Schema.TaggedError<UsageError>()("UsageError", {
  what: Schema.String,
  why: Schema.optionalKey(Schema.String),
  fix: Schema.optionalKey(Schema.String)
}) {
  override get message() {
    return [this.what, this.why, this.fix].filter((part) => part !== undefined).join("\n")
  }
}

/**
 * Every image or model that could be served was; these could not. The reasons were printed where they
 * occurred.
 */
export class AlreadyReported extends Schema.TaggedError<AlreadyReported>()("AlreadyReported", {
  exitCode: Schema.Int
}) {}

const usageTags = new Set([
  "UsageError",
  "DefinitionError",
  "AdoptionRefused",
  "CapabilityRefused",
  "ExternalUnreadable",
  "UpstreamMissing",
  "NotCanonical",
  "CodeUnreadable",
  "SettingsInvalid",
  "KeyUnavailable",
  "StoreUnusable",
  "SweepUnderWay"
])
const integrityTags = new Set([
  "BlobCorrupt",
  "ExternalChanged",
  "FolderChanged",
  "ObjectTooLarge",
  "SourceChanged",
  "SourceDigestMismatch"
])

/**
 * A failure as far as it is looked at here: errors may come from another copy of a module, so tags decide.
 */
interface Tagged {
  readonly _tag?: string
  readonly message?: string
  readonly where?: string
  readonly exitCode?: number
}

export const exitCodeOfTag = (tag: string): number => {
  if (usageTags.has(tag)) return exitCodes.usage
  if (tag === "LeaseTimeout") return exitCodes.leaseTimeout
  return integrityTags.has(tag) ? exitCodes.integrity : exitCodes.failed
}

const exitCodeOfError = (error: Tagged): number => error.exitCode ?? exitCodeOfTag(error._tag ?? "")

/** `error: ` and the message; further lines are set under it. */
export const errorLines = (message: string, paint: Paint): ReadonlyArray<string> => {
  const [first = "", ...rest] = printable(message).trimEnd().split("\n")
  return [`${paint.red("error")}: ${first}`, ...rest.map((line) => `  ${line}`.trimEnd())]
}

const expected = (error: Tagged, paint: Paint): ReadonlyArray<string> => {
  const message = error.message ?? error._tag ?? "unknown"
  // The place is a field of its own where the message does not name it.
  return errorLines(error._tag === "DefinitionError" ? `${error.where}: ${message}` : message, paint)
}

const defect = (cause: Cause.Cause<unknown>, version: string, paint: Paint): ReadonlyArray<string> => [
  ...errorLines("this is a bug in distillery, or in a stage of your own", paint),
  ...printable(Cause.pretty(cause)).split("\n"),
  "Finished jobs are kept. Please report it with the lines above, the command, and these versions:",
  `distillery ${version}, Node ${process.version}, ${process.platform} ${process.arch}`
]

export interface Ending {
  readonly lines: ReadonlyArray<string>
  readonly exitCode: number
}

/**
 * What to print on stderr and how to exit, for whatever ended the program early. No stack for users' errors.
 */
export const endingOf = (cause: Cause.Cause<unknown>, version: string, paint: Paint): Ending => {
  if (Cause.hasInterruptsOnly(cause)) return { lines: [], exitCode: exitCodes.SIGINT }
  const error = Option.getOrUndefined(Cause.findErrorOption(cause)) as Tagged | undefined
  if (error === undefined) return { lines: defect(cause, version, paint), exitCode: exitCodes.failed }
  if (error._tag === "AlreadyReported") return { lines: [], exitCode: error.exitCode ?? exitCodes.failed }
  return { lines: expected(error, paint), exitCode: exitCodeOfError(error) }
}
