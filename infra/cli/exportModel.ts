/** `distillery export` */
import { join, relative, resolve } from "node:path"
import { Effect, Schema } from "effect"
import { jsonBytes } from "../../lib/export/ExportedFile.ts"
import { loadClassifier } from "../../lib/models/Classifier.ts"
import { decodeWeights } from "../../lib/models/weights.ts"
import { BlobStore } from "../../lib/storage/BlobStore.ts"
import { suggestion } from "../../lib/workflow/suggestions.ts"
import { tensorRuntimeLayer } from "../layers.ts"
import { bytes as sizeText } from "../reporting/numbers.ts"
import type { Paint } from "../reporting/paint.ts"
import { table } from "../reporting/table.ts"
import { type CacheFlags, readWith, type SettingsValue } from "../settings.ts"
import { storageLayer } from "../storageLayers.ts"
import { UsageError } from "./errors.ts"
import type { Comparison } from "./exportComparison.ts"
import type { LoadedModel } from "./exportedFiles.ts"
import { checkFolder, inNewFolder, writeFiles } from "./exportFolder.ts"
import { findModel } from "./findModel.ts"
import { comparisonFile, Format, formats, type ModelCard } from "./ModelCard.ts"
import { Output, printJson } from "./Output.ts"

export interface ExportFlags extends CacheFlags {
  readonly model: string
  readonly formats: ReadonlyArray<string>
  readonly output: string | undefined
  readonly force: boolean
  readonly json: boolean
}

const formatsFrom = Effect.fn("exportModel.formats")(function* (texts: ReadonlyArray<string>) {
  const names = texts.flatMap((text) => text.split(",").map((name) => name.trim()))
  for (const name of names) {
    if (!Schema.is(Format)(name)) {
      const what = `--format: there is no format "${name}"`
      return yield* new UsageError({ what, fix: suggestion(name, formats) })
    }
  }
  return names.length === 0 ? formats : formats.filter((format) => names.includes(format))
})

const loadModel = Effect.fn("exportModel.load")(function* (given: string) {
  const { job, key, pipeline, value } = yield* findModel(given)
  if (value._tag !== "Classifier") {
    const what = `"${job}" is a ${value._tag.toLowerCase()}, and only classifiers can be exported`
    return yield* new UsageError({ what, fix: "Name the classifier that it was made from" })
  }
  const { architecture, classes, preprocessing } = value
  const classifier = yield* loadClassifier({
    architecture,
    imageChannels: preprocessing.channels,
    numClasses: classes.length
  })
  const stored = yield* (yield* BlobStore).get(value.weights)
  const weights = yield* decodeWeights(stored, classifier.weights)
  return { value, classifier, weights, name: `${pipeline}/${job}`, jobKey: key, job }
})

interface Written {
  readonly card: ModelCard
  readonly comparison: Comparison
}

/** Writes, reads back and compares in a folder that is moved to its place when all is well. */
const write = Effect.fn("exportModel.write")(function* (
  model: LoadedModel,
  wanted: ReadonlyArray<Format>,
  folder: string,
  settings: SettingsValue
) {
  const { compareExport } = yield* Effect.promise(() => import("./exportComparison.ts"))
  const { exportedFiles } = yield* Effect.promise(() => import("./exportedFiles.ts"))
  const { card, files } = yield* exportedFiles(model, wanted)
  return yield* inNewFolder(
    folder,
    Effect.fnUntraced(function* (temporary) {
      yield* writeFiles(temporary, files)
      const comparison = yield* compareExport(model, wanted, {
        folder: temporary,
        projectDir: settings.projectDir
      }).pipe(Effect.provide(tensorRuntimeLayer(settings)))
      yield* writeFiles(temporary, [{ path: comparisonFile, bytes: jsonBytes(comparison) }])
      return { card, comparison } satisfies Written
    })
  )
})

const differenceText = (value: number): string => (value === 0 ? "0" : value.toExponential(1))

const linesOf = ({ card, comparison }: Written, folder: string, paint: Paint): ReadonlyArray<string> => {
  const shown = relative(process.cwd(), folder) || "."
  const rows = comparison.formats.map((one) => {
    const size = card.files
      .filter(({ format }) => format === one.format)
      .reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
    return one.compared
      ? [one.format, sizeText(size), differenceText(one.relativeDifference), one.runtime]
      : [one.format, sizeText(size), "", `not compared: ${one.reason}`]
  })
  const columns = [
    { title: "format" },
    { title: "size", align: "right" },
    { title: "difference", align: "right" },
    { title: "read back by" }
  ] as const
  const { count } = comparison.images
  return [
    `${paint.bold(card.model)} is exported to ${shown}`,
    ...table(columns, rows, paint),
    `Differences are the largest of ${count} images' logits, in units of the largest logit.`
  ]
}

export const exportModel = Effect.fn("exportModel")(function* (flags: ExportFlags) {
  const { paint, print } = yield* Output
  const settings = yield* readWith(flags)
  const wanted = yield* formatsFrom(flags.formats)
  const given = flags.output === undefined ? undefined : resolve(flags.output)
  if (given !== undefined) yield* checkFolder(given, flags.force)
  const { folder, written } = yield* Effect.gen(function* () {
    const { job, ...model } = yield* loadModel(flags.model)
    const folder = given ?? join(settings.projectDir, ".distillery", "exports", job)
    yield* checkFolder(folder, flags.force)
    return { folder, written: yield* write(model, wanted, folder, settings) }
  }).pipe(Effect.provide(storageLayer(settings)))
  yield* flags.json
    ? printJson({ schemaVersion: 1, folder, card: written.card, comparison: written.comparison })
    : print(linesOf(written, folder, paint))
})
