/** Decodes images, brings them to one size, cuts off a validation split, and measures the training split. */
import { Effect, Schema } from "effect"
import * as Stage from "../lib/workflow/Stage.ts"
import { ImageDataset, PreparedDataset } from "./artifacts.ts"

const side = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 4096 }))
const fraction = (maximum: number) => Schema.Number.check(Schema.isBetween({ minimum: 0, maximum }))

export const PreprocessParams = Schema.Struct({
  height: side,
  width: side,
  channels: Schema.Literals([1, 3]),
  /** Fraction of every class of the training split that is set aside for tuning; 0 keeps all for training. */
  validation: fraction(0.9).pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed(0.1)),
    Schema.withConstructorDefault(Effect.succeed(0.1))
  ),
  seed: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 32 - 1 })).pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed(0)),
    Schema.withConstructorDefault(Effect.succeed(0))
  ),
  /** At most this many images of each split, chosen by the seed; null takes all. */
  limit: Schema.NullOr(Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))).pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed(null)),
    Schema.withConstructorDefault(Effect.succeed(null))
  ),
  /** Unreadable images are left out and listed; a larger fraction of a split than this fails the stage. */
  maxUnreadable: fraction(1).pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed(0.01)),
    Schema.withConstructorDefault(Effect.succeed(0.01))
  )
})
export const preprocessInputs = { dataset: ImageDataset }

export const Preprocess = Stage.make("preprocess", {
  params: PreprocessParams,
  inputs: preprocessInputs,
  output: PreparedDataset,
  resultServices: ["ImageCodec"],
  run: () => import("./preprocess.run.ts")
})
