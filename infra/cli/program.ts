/** The program behind `main.ts`: parses the command line, runs a command, decides the exit code. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { type Cause, Effect, Exit, Layer } from "effect"
import { CliConfig, type CliError, Command, GlobalFlag } from "effect/cli"
import packageJson from "../../package.json" with { type: "json" }
import { paintFor } from "../reporting/paint.ts"
import { distillery } from "./commands.ts"
import { AlreadyReported, endingOf, exitCodes } from "./errors.ts"
import { nodeOutputLayer, Output } from "./Output.ts"
import { presenterLayer } from "./presenter.ts"
import { makeStopHandling } from "./stopRequests.ts"

const { version } = packageJson

const builtIns = CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version] })

/** Help was shown, or the presenter has told what is wrong with the command line. */
const exitOfShowHelp = (error: CliError.ShowHelp) =>
  error.errors.length === 0 ? Effect.void : new AlreadyReported({ exitCode: exitCodes.usage })

/** A reader that has seen enough (`| head`) is no error. Without stderr the run goes on unwatched. */
const survivePipesThatClose = (): void => {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error
    process.exit(process.exitCode ?? exitCodes.ok)
  })
  process.stderr.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error
  })
}

const stopHandling = makeStopHandling()

const reported = (cause: Cause.Cause<unknown>) =>
  Effect.gen(function* () {
    const { errorPaint, tell } = yield* Output
    const ending = endingOf(cause, version, errorPaint)
    yield* tell(ending.lines)
    return ending.exitCode
  })

const program = Command.run(distillery, { version }).pipe(
  Effect.catchIf(
    (error): error is CliError.ShowHelp => (error as { readonly _tag: string })._tag === "ShowHelp",
    exitOfShowHelp
  ),
  Effect.as(exitCodes.ok as number),
  Effect.catchCause(reported),
  Effect.provide(
    Layer.mergeAll(presenterLayer, builtIns, stopHandling.layer, NodeServices.layer).pipe(
      Layer.provideMerge(nodeOutputLayer)
    )
  )
)

/**
 * Everything written has left; whatever still holds the event loop (native threads) does not matter any more.
 */
const exit = (code: number): void => {
  process.exitCode = code
  process.stdout.write("", () => {
    // A full disk behind `>`: the stream knows by now, its listeners would only be told later.
    const lost = process.stdout.errored as NodeJS.ErrnoException | null
    const isLost = lost !== null && lost.code !== "EPIPE"
    const line = isLost ? `error: what was printed could not be written whole: ${lost.message}\n` : ""
    process.stderr.write(line, () => process.exit(isLost ? code || exitCodes.failed : code))
  })
}

survivePipesThatClose()
const fiber = Effect.runFork(program)
stopHandling.listen(fiber)
fiber.addObserver((ended) => {
  const signalled = stopHandling.exitCode()
  if (Exit.isSuccess(ended)) return exit(signalled ?? ended.value)
  const { exitCode, lines } = endingOf(ended.cause, version, paintFor(false))
  process.stderr.write(lines.map((line) => `${line}\n`).join(""))
  exit(signalled ?? exitCode)
})
