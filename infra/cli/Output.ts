/** The program's two streams. Data goes to stdout, everything else to stderr. */
import { Context, Effect, Layer, Stdio } from "effect"
import { TerminalCapabilities } from "effect/cli"
import { type Paint, paintFor } from "../reporting/paint.ts"

export class Output extends Context.Service<
  Output,
  {
    /** Colours for stdout. */
    readonly paint: Paint
    /** Colours for stderr. */
    readonly errorPaint: Paint
    /** Whether stderr is a terminal on which lines can be redrawn. */
    readonly canAnimate: boolean
    /** Data, on stdout. */
    readonly print: (lines: ReadonlyArray<string>) => Effect.Effect<void>
    /** Progress, diagnostics, errors, on stderr. */
    readonly tell: (lines: ReadonlyArray<string>) => Effect.Effect<void>
  }
>()("infra/cli/Output") {}

const write = (stream: NodeJS.WriteStream, lines: ReadonlyArray<string>) =>
  Effect.sync(() => {
    if (lines.length > 0) stream.write(`${lines.join("\n")}\n`)
  })

/** What a stream can show: Effect's own reading of NO_COLOR, FORCE_COLOR and TERM, asked for each stream. */
const capabilitiesOf = (stream: NodeJS.WriteStream) =>
  Effect.provide(
    TerminalCapabilities.TerminalCapabilities,
    TerminalCapabilities.layer.pipe(
      Layer.provide(Stdio.layerTest({ stdoutIsTerminal: Effect.succeed(stream.isTTY === true) }))
    )
  )

export const nodeOutputLayer: Layer.Layer<Output> = Layer.effect(
  Output,
  Effect.gen(function* () {
    const stdout = yield* capabilitiesOf(process.stdout)
    const stderr = yield* capabilitiesOf(process.stderr)
    return {
      paint: paintFor(stdout.canColor),
      errorPaint: paintFor(stderr.canColor),
      canAnimate: stderr.canAnimate,
      print: (lines) => write(process.stdout, lines),
      tell: (lines) => write(process.stderr, lines)
    }
  })
)

/** One JSON document and nothing else. */
export const printJson = Effect.fn("printJson")(function* (document: unknown) {
  const { print } = yield* Output
  yield* print([JSON.stringify(document, null, 2)])
})
