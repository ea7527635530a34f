/**
 * Brings images and labels from outside into the store, as they are: verified, sorted into splits, not
 * decoded.
 */
import { Effect, Schema } from "effect"
import { SourceFile } from "../lib/data/SourceFiles.ts"
import { Digest } from "../lib/storage/Digest.ts"
import * as Stage from "../lib/workflow/Stage.ts"
import { ImageDataset } from "./artifacts.ts"

const integer = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

const seed = integer(0, 2 ** 32 - 1).pipe(
  Schema.withDecodingDefaultTypeKey(Effect.succeed(0)),
  Schema.withConstructorDefault(Effect.succeed(0))
)

/** Four files in the format of MNIST and Fashion-MNIST. `classes` names the labels 0, 1, 2, … */
export const IdxSource = Schema.TaggedStruct("Idx", {
  classes: Schema.Array(Schema.String).check(Schema.isMinLength(2), Schema.isMaxLength(256)),
  files: Schema.Struct({
    trainImages: SourceFile,
    trainLabels: SourceFile,
    testImages: SourceFile,
    testLabels: SourceFile
  })
})

/** Shapes on textured backgrounds, drawn from a seed (`lib/data/scenes`). Eight classes, balanced. */
export const ScenesSource = Schema.TaggedStruct("Scenes", {
  seed,
  /** Pixels per side. */
  size: integer(16, 1024).pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed(32)),
    Schema.withConstructorDefault(Effect.succeed(32))
  ),
  numTrain: integer(8, 2 ** 24),
  numTest: integer(8, 2 ** 24)
})

const testFraction = Schema.Number.check(Schema.isBetween({ minimum: 0.01, maximum: 0.9 }))

/**
 * A folder on this machine, `split/class/image` or `class/image`. `digest` is that of its names and
 * contents: what the result depends on. Leave it out once, and the error says what to write.
 */
export const ImageFolderSource = Schema.TaggedStruct("ImageFolder", {
  path: Schema.NonEmptyString,
  digest: Schema.NullOr(Digest).pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed(null)),
    Schema.withConstructorDefault(Effect.succeed(null))
  ),
  /** How much of each class is set aside for testing where the folder has no `test`. */
  testFraction: testFraction.pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed(0.2)),
    Schema.withConstructorDefault(Effect.succeed(0.2))
  ),
  seed
})

export const IngestSource = Schema.Union([IdxSource, ScenesSource, ImageFolderSource])
export const IngestParams = Schema.Struct({ source: IngestSource })
export const ingestInputs = {}

export const Ingest = Stage.make("ingest", {
  params: IngestParams,
  inputs: ingestInputs,
  output: ImageDataset,
  run: () => import("./ingest.run.ts")
})
