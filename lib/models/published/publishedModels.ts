/** Names under which networks are published, and what they are in our words. */
import { Effect, Schema } from "effect"
import type { Architecture } from "../Architecture.ts"

export interface PublishedModel {
  readonly name: string
  /** Who publishes weights under this name. */
  readonly library: string
  readonly architecture: Architecture
  readonly numClasses: number
  /** Rows and columns of the images it was published for. */
  readonly inputPixels: number
}

export class UnknownModel extends Schema.TaggedError<UnknownModel>()("UnknownModel", {
  name: Schema.String,
  known: Schema.Array(Schema.String)
}) {
  override get message() {
    return `There is no network "${this.name}". Take one of these: ${this.known.join(", ")}.`
  }
}

const imageNet = { numClasses: 1000, inputPixels: 224 }

const cifar = (depth: number, shortcut: "A" | "B"): Architecture => ({
  family: "resnet-cifar",
  depth,
  width: 16,
  shortcut
})

/** The depths of a family as models, each under the name that its depth has. */
const models = <D extends number>(
  depths: ReadonlyArray<D>,
  library: string,
  nameOf: (depth: D) => string,
  architectureOf: (depth: D) => Architecture,
  rest: Pick<PublishedModel, "numClasses" | "inputPixels">
): ReadonlyArray<PublishedModel> =>
  depths.map((depth) => ({
    name: nameOf(depth),
    library,
    architecture: architectureOf(depth),
    ...rest
  }))

const tiny = { numClasses: 10, inputPixels: 32 }

/** The first of a name counts. */
export const publishedModels: ReadonlyArray<PublishedModel> = [
  ...models(
    [18, 34],
    "torchvision, timm",
    (depth) => `resnet${depth}`,
    (depth) => ({ family: "resnet", depth, width: 64 }),
    imageNet
  ),
  ...models(
    [18, 34],
    "GluonCV",
    (depth) => `resnet${depth}_v1b`,
    (depth) => ({ family: "resnet", depth, width: 64 }),
    imageNet
  ),
  ...models(
    [20, 32, 44, 56, 110],
    "akamaster",
    (depth) => `resnet${depth}`,
    (depth) => cifar(depth, "A"),
    tiny
  ),
  ...models(
    [20, 56, 110],
    "pytorchcv",
    (depth) => `resnet${depth}_cifar10`,
    (depth) => cifar(depth, "B"),
    tiny
  ),
  ...models(
    [20, 32, 44, 56],
    "chenyaofo",
    (depth) => `cifar10_resnet${depth}`,
    (depth) => cifar(depth, "B"),
    tiny
  ),
  ...models(
    [20, 32, 44, 56],
    "chenyaofo",
    (depth) => `cifar100_resnet${depth}`,
    (depth) => cifar(depth, "B"),
    { ...tiny, numClasses: 100 }
  )
]

/**
 * The network of a published name, as its library spells it: `resnet18`, `timm/resnet18.a1_in1k`,
 * `gluon_resnet18_v1b`. Fails with `UnknownModel`.
 */
export const publishedModelOf = (name: string): Effect.Effect<PublishedModel, UnknownModel> => {
  const plain = name
    .toLowerCase()
    .replace(/^timm\//, "")
    .replace(/^(gluon|tv)_/, "")
  const found =
    publishedModels.find((model) => model.name === plain) ??
    // timm's tags say how the weights were trained.
    publishedModels.find((model) => model.name === plain.replace(/\..*$/, ""))
  return found === undefined
    ? Effect.fail(new UnknownModel({ name, known: publishedModels.map((model) => model.name) }))
    : Effect.succeed(found)
}
