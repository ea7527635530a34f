/**
 * How help and wrong invocations are shown: help on request only, an error without a page of help before it.
 */
import { Effect, Layer } from "effect"
import { type CliError, CliOutput } from "effect/cli"
import { nearest } from "../../lib/workflow/suggestions.ts"
import { type Paint, printable } from "../reporting/paint.ts"
import { errorLines } from "./errors.ts"
import { Output } from "./Output.ts"

/** The nearest of the suggestions; all of them where none is near. */
const didYouMean = (text: string, suggestions: ReadonlyArray<string>): string => {
  const near = nearest(text, suggestions)
  const meant = near === undefined ? suggestions : [near]
  return meant.length === 0 ? "" : `: did you mean ${meant.map((name) => `"${name}"`).join(" or ")}?`
}

const messageOf = (error: CliError.NonShowHelpErrors): string => {
  switch (error._tag) {
    case "UnrecognizedOption":
      return `there is no flag "${error.option}"${didYouMean(error.option, error.suggestions)}`
    case "UnknownSubcommand":
      return `there is no command "${error.subcommand}"${didYouMean(error.subcommand, error.suggestions)}`
    case "UnexpectedArgument":
      return `there is no place for ${error.arguments.map((one) => `"${one}"`).join(", ")}`
    case "MissingOption":
      return `the flag --${error.option} is missing`
    case "MissingArgument":
      return `the argument <${error.argument}> is missing`
    default:
      return error.message.replace(/Schema validation failed: expected /i, "")
  }
}

/** `--force student` reads as a second pipeline called "student", `add 30 2 * * * x` as many arguments. */
const hintsFor = (
  commandPath: ReadonlyArray<string>,
  errors: ReadonlyArray<CliError.NonShowHelpErrors>
): ReadonlyArray<string> => {
  if (!errors.some((error) => error._tag === "UnexpectedArgument")) return []
  if (commandPath.includes("schedule"))
    return ['A cron expression stands in quotes: schedule add "30 2 * * *" quickstart']
  return commandPath.some((command) => command === "run" || command === "plan")
    ? ["Jobs are named with an equals sign or a comma: --force=student, --only teacher,student"]
    : []
}

export const invocationLines = (
  commandPath: ReadonlyArray<string>,
  errors: ReadonlyArray<CliError.NonShowHelpErrors>,
  paint: Paint
): ReadonlyArray<string> => [
  ...errors.flatMap((error) => errorLines(printable(messageOf(error)), paint)),
  ...hintsFor(commandPath, errors),
  `Usage: ${commandPath.join(" ")} --help`
]

export const presenterLayer: Layer.Layer<never, never, Output> = Layer.effect(
  CliOutput.Presenter,
  Effect.gen(function* () {
    const { errorPaint, paint, print, tell } = yield* Output
    const formatter = CliOutput.defaultFormatter({ colors: paint.bold("x") !== "x" })
    return {
      present: (event) => {
        switch (event._tag) {
          case "Help":
            return print([formatter.formatHelpDoc(event.helpDoc)])
          case "InvalidInvocation":
            return tell(invocationLines(event.commandPath, event.errors, errorPaint))
          case "Version":
            return print([event.version])
        }
      }
    }
  })
)
