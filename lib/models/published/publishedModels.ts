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

type Variant = NonNullable<Extract<Architecture, { readonly family: "resnet" }>["variant"]>

/** ResNets for ImageNet of one variant. */
const resNets = (
  depths: ReadonlyArray<18 | 34 | 50 | 101 | 152>,
  library: string,
  variant: Variant,
  nameOf: (depth: number) => string
) =>
  models(
    depths,
    library,
    nameOf,
    (depth) => ({ family: "resnet", depth, width: 64, ...(variant !== "B" && { variant }) }),
    imageNet
  )

const bottlenecks = [50, 101, 152] as const

/** The first of a name counts. */
export const publishedModels: ReadonlyArray<PublishedModel> = [
  ...resNets([18, 34, ...bottlenecks], "torchvision, timm", "B", (depth) => `resnet${depth}`),
  ...resNets(bottlenecks, "timm", "C", (depth) => `resnet${depth}c`),
  ...resNets([18, 34, ...bottlenecks], "timm", "D", (depth) => `resnet${depth}d`),
  ...resNets(bottlenecks, "timm", "S", (depth) => `resnet${depth}s`),
  ...resNets(bottlenecks, "GluonCV", "A", (depth) => `resnet${depth}_v1`),
  ...resNets([18, 34, ...bottlenecks], "GluonCV", "B", (depth) => `resnet${depth}_v1b`),
  ...resNets(bottlenecks, "GluonCV", "C", (depth) => `resnet${depth}_v1c`),
  ...resNets(bottlenecks, "GluonCV", "D", (depth) => `resnet${depth}_v1d`),
  ...resNets(bottlenecks, "GluonCV", "S", (depth) => `resnet${depth}_v1s`),
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
