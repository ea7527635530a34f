/** Exported files against the model they were made of: every format by its own runtime, logit for logit. */
import { execFile } from "node:child_process"
import { Effect, Option, Schema } from "effect"
import {
  comparisonImages,
  comparisonSeed,
  type Difference,
  differenceOf,
  numCompared,
  relativeTolerance
} from "../../lib/export/comparison.ts"
import { TensorRuntime } from "../../lib/tensor/Runtime.ts"
import { classifierLogits } from "../../lib/train/evaluate-classifier.ts"
import type { LoadedModel } from "./exportedFiles.ts"
import type { Format } from "./ModelCard.ts"
import { programFile } from "./programFile.ts"
import { Reloaded } from "./reloadExport.ts"

/** A format was read back, and says something else than the model. */
export class ExportDiffers extends Schema.TaggedError<ExportDiffers>()("ExportDiffers", {
  format: Schema.String,
  runtime: Schema.String,
  relativeDifference: Schema.Number
}) {
  override get message() {
    const apart = Number.isNaN(this.relativeDifference)
      ? "some are no numbers"
      : `they differ by ${this.relativeDifference.toExponential(1)} of the largest logit, at most ` +
        `${relativeTolerance.toExponential(0)} may be`
    return (
      `The ${this.format} export computes other logits under ${this.runtime} than the model: ${apart}. ` +
      "Nothing was written. Please report it, with the model's architecture; other formats may do (--format)"
    )
  }
}

/** A format could not be read back. */
export class ExportUnreadable extends Schema.TaggedError<ExportUnreadable>()("ExportUnreadable", {
  format: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return (
      `The ${this.format} export cannot be read back: ${this.reason}\n` +
      "Nothing was written. Other formats may do (--format)"
    )
  }
}

/** `compared`, or why not. */
export type FormatComparison =
  | ({ readonly format: Format; readonly compared: true; readonly runtime: string } & Difference)
  | { readonly format: Format; readonly compared: false; readonly reason: string }

export interface Comparison {
  readonly schemaVersion: 1
  readonly images: { readonly count: number; readonly seed: number; readonly kind: string }
  /** What computed the logits that all are compared with. */
  readonly reference: { readonly backend: string; readonly library: string; readonly threads: number }
  readonly relativeTolerance: number
  readonly formats: ReadonlyArray<FormatComparison>
}

/** Logits `[16, K]` of the model itself. */
const referenceLogits = Effect.fn("referenceLogits")(function* ({ classifier, value, weights }: LoadedModel) {
  const { channels, height, width } = value.preprocessing
  const { numerics } = yield* TensorRuntime
  const logits = yield* classifierLogits({
    classifier,
    weights,
    dataset: {
      images: comparisonImages([height, width, channels]),
      labels: new Int32Array(numCompared),
      height,
      width,
      channels
    },
    normalization: value.preprocessing,
    batchSize: 4
  })
  return { logits, numerics }
})

const outputBytesMax = 2 ** 28

/** In a process of its own, by the hidden command `reload-export`. */
const reloaded = (
  format: Format,
  folder: string,
  projectDir: string
): Effect.Effect<Reloaded, ExportUnreadable> =>
  Effect.callback((resume) => {
    const options = { maxBuffer: outputBytesMax, encoding: "utf8", cwd: projectDir } as const
    const args = [programFile(), "reload-export", format, folder]
    const child = execFile(process.execPath, args, options, (error, stdout, stderr) => {
      const found = error === null ? reloadedFrom(stdout) : undefined
      if (found !== undefined) return resume(Effect.succeed(found))
      const said = stderr.trim().replace(/^error: /, "")
      const reason =
        error?.signal != null ? `its process ended by ${error.signal}` : said || "it said nothing"
      resume(Effect.fail(new ExportUnreadable({ format, reason })))
    })
    return Effect.sync(() => void child.kill("SIGKILL"))
  })

/** A library may write to stdout, too: the document comes last. */
const reloadedFrom = (stdout: string): Reloaded | undefined => {
  const text = stdout.slice(Math.max(0, stdout.lastIndexOf("\n{") + 1))
  return Option.getOrUndefined(Schema.decodeUnknownOption(Schema.fromJsonString(Reloaded))(text))
}

interface Compared {
  readonly folder: string
  readonly projectDir: string
  readonly reference: Float32Array
  readonly numClasses: number
}

const compared = Effect.fn("exportComparison.compared")(function* (
  format: Format,
  { folder, numClasses, projectDir, reference }: Compared
) {
  const found = yield* reloaded(format, folder, projectDir)
  if (found._tag === "Absent") {
    return { format, compared: false, reason: found.reason } satisfies FormatComparison
  }
  const { logits, runtime } = found
  const difference = differenceOf(reference, logits, numClasses)
  const { relativeDifference } = difference
  // Not a number is within no tolerance.
  if (!(relativeDifference <= relativeTolerance)) {
    return yield* new ExportDiffers({ format, runtime, relativeDifference })
  }
  return { format, compared: true, runtime, ...difference } satisfies FormatComparison
})

/** How many formats are read back at once: each takes one core most of the time. */
const concurrency = 2

/**
 * Of the formats in `folder`; runtimes that are packages of the user's are those of `projectDir`. Fails with
 * `ExportDiffers` or `ExportUnreadable` for the first format that is not the model.
 */
export const compareExport = Effect.fn("compareExport")(function* (
  model: LoadedModel,
  formats: ReadonlyArray<Format>,
  places: Pick<Compared, "folder" | "projectDir">
) {
  const { logits: reference, numerics } = yield* referenceLogits(model)
  const { backend, library, threads } = numerics
  const against = { ...places, reference, numClasses: model.value.classes.length }
  const results = yield* Effect.forEach(formats, (format) => compared(format, against), { concurrency })
  return {
    schemaVersion: 1,
    images: { count: numCompared, seed: comparisonSeed, kind: "noise around a colour of each image's own" },
    reference: { backend, library, threads },
    relativeTolerance,
    formats: results
  } satisfies Comparison as Comparison
})
