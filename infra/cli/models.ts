/** `distillery models` */
import { execFile } from "node:child_process"
import { Effect } from "effect"
import { tensorRuntimeLayer } from "../layers.ts"
import { bytes, metric } from "../reporting/numbers.ts"
import { oneLine, type Paint } from "../reporting/paint.ts"
import { table } from "../reporting/table.ts"
import { read } from "../settings.ts"
import { AlreadyReported, errorLines, exitCodes } from "./errors.ts"
import type { Measured } from "./measureModel.ts"
import { chosenModels, factsOf, type ModelFacts, type NamedModel } from "./namedModels.ts"
import { Output, printJson } from "./Output.ts"
import { programFile } from "./programFile.ts"

interface ModelsFlags {
  readonly names: ReadonlyArray<string>
  readonly measure: boolean
  readonly json: boolean
}

type Row = ModelFacts & { readonly measured?: Measured | { readonly error: string } }

const columns = [
  { title: "name" },
  { title: "params", align: "right" },
  { title: "MACs", align: "right" },
  { title: "input", align: "right" },
  { title: "published by" }
] as const
const measuredColumns = [
  { title: "images/s", align: "right" },
  { title: "peak memory", align: "right" },
  { title: "by" }
] as const

/** Three digits are what a measurement knows. */
const speed = (imagesPerSecond: number): string => String(Number(imagesPerSecond.toPrecision(3)))

const measuredCells = ({ measured }: Row): ReadonlyArray<string> =>
  measured === undefined || "error" in measured
    ? ["–", "–", "–"]
    : [speed(measured.imagesPerSecond), bytes(measured.peakBytes), measured.backend]

const modelLines = (rows: ReadonlyArray<Row>, measure: boolean, paint: Paint): ReadonlyArray<string> =>
  table(
    measure ? [...columns, ...measuredColumns] : columns,
    rows.map((row) => {
      const { channels, height, width } = row.input
      const size = `${height} × ${width} × ${channels}`
      const cells = [row.name, metric(row.params), metric(row.macs), size, row.library]
      return measure ? [...cells, ...measuredCells(row)] : cells
    }),
    paint
  )

/** What another process of this program says of one network. */
const measuredElsewhere = ({ name }: NamedModel): Effect.Effect<Measured | { readonly error: string }> =>
  Effect.callback((resume) => {
    const args = [programFile(), "models", name, "--measure", "--json"]
    const child = execFile(process.execPath, args, { encoding: "utf8" }, (error, stdout, stderr) => {
      const said = error === null ? undefined : oneLine(stderr.replace(/^error: /, "")) || error.message
      resume(
        Effect.succeed(
          said === undefined
            ? (JSON.parse(stdout) as { readonly models: readonly [{ readonly measured: Measured }] })
                .models[0].measured
            : { error: said }
        )
      )
    })
    return Effect.sync(() => void child.kill("SIGKILL"))
  })

const measuredHere = Effect.fn("models.measuredHere")(function* (model: NamedModel) {
  const settings = yield* read
  const { measureModel } = yield* Effect.promise(() => import("./measureModel.ts"))
  return yield* Effect.provide(measureModel(model), tensorRuntimeLayer(settings))
})

/** One alone in this process; several one after the other, each in its own. */
const measureAll = Effect.fn("models.measureAll")(function* (chosen: ReadonlyArray<NamedModel>) {
  const { tell } = yield* Output
  const [first, ...others] = chosen
  if (first !== undefined && others.length === 0) return [yield* measuredHere(first)]
  return yield* Effect.forEach(
    chosen,
    Effect.fnUntraced(function* (model, index) {
      yield* tell([`measuring ${model.name} (${index + 1} of ${chosen.length})`])
      return yield* measuredElsewhere(model)
    })
  )
})

export const models = Effect.fn("models")(function* ({ json, measure, names }: ModelsFlags) {
  const { errorPaint, paint, print, tell } = yield* Output
  const chosen = yield* chosenModels(names)
  const facts = yield* Effect.forEach(chosen, factsOf)
  const measured = measure ? yield* measureAll(chosen) : []
  const rows = facts.map((one, index): Row => {
    const found = measured[index]
    return found === undefined ? one : { ...one, measured: found }
  })
  yield* json ? printJson({ schemaVersion: 1, models: rows }) : print(modelLines(rows, measure, paint))
  const failed = rows.flatMap(({ measured: found, name }) =>
    found !== undefined && "error" in found ? [`${name} could not be measured: ${found.error}`] : []
  )
  for (const text of failed) yield* tell(errorLines(text, errorPaint))
  if (failed.length > 0) return yield* new AlreadyReported({ exitCode: exitCodes.failed })
})
