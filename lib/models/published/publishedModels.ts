/** Names under which networks are published, and what they are in our words. */
import { Effect, Schema } from "effect"
import type { Architecture, InceptionV3, MobileNetV1, ResNet, ResNetCifar } from "../Architecture.ts"

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

interface Publisher {
  readonly library: string
  readonly numClasses: number
  readonly inputPixels: number
}

const imageNet = (library: string, inputPixels = 224): Publisher => ({
  library,
  numClasses: 1000,
  inputPixels
})

const cifar = (library: string, numClasses: number): Publisher => ({ library, numClasses, inputPixels: 32 })

const named = (name: string, architecture: Architecture, publisher: Publisher): PublishedModel => ({
  name,
  architecture,
  ...publisher
})

/** Without a variant it is B, which is what torchvision and timm call by the depth alone. */
const resNet = (depth: ResNet["depth"], variant?: ResNet["variant"]): ResNet => ({
  family: "resnet",
  depth,
  width: 64,
  ...(variant !== undefined && { variant })
})

const resNetCifar = (depth: number, shortcut: "A" | "B"): ResNetCifar => ({
  family: "resnet-cifar",
  depth,
  width: 16,
  shortcut
})

/** RepDistiller's `resnet8x4`, … */
const resNetX4 = (depth: number): ResNetCifar => ({ ...resNetCifar(depth, "B"), width: 64, stem: 32 })

const mobileNet = (width: MobileNetV1["width"], activation: MobileNetV1["activation"]): MobileNetV1 => ({
  family: "mobilenet-v1",
  width,
  activation
})

/** As weights are used: the second classifier of torchvision's only helps training. */
const inception: InceptionV3 = { family: "inception-v3", width: 1, auxiliary: false, dropout: 0.5 }

const bottlenecks = [50, 101, 152] as const

const variants = [
  ["c", "C"],
  ["d", "D"],
  ["s", "S"]
] as const

const resNets: ReadonlyArray<PublishedModel> = [
  ...([18, 34, ...bottlenecks] as const).flatMap((depth) => [
    named(`resnet${depth}`, resNet(depth), imageNet("torchvision, timm")),
    named(`resnet${depth}_v1b`, resNet(depth), imageNet("GluonCV, timm"))
  ]),
  // Basic blocks have their stride in one place only: A is B.
  ...([18, 34] as const).map((depth) => named(`resnet${depth}_v1`, resNet(depth), imageNet("GluonCV"))),
  ...bottlenecks.map((depth) => named(`resnet${depth}_v1`, resNet(depth, "A"), imageNet("GluonCV"))),
  ...([18, 34] as const).map((depth) => named(`resnet${depth}d`, resNet(depth, "D"), imageNet("timm"))),
  ...bottlenecks.flatMap((depth) =>
    variants.flatMap(([letter, variant]) => [
      named(`resnet${depth}${letter}`, resNet(depth, variant), imageNet("timm")),
      named(`resnet${depth}_v1${letter}`, resNet(depth, variant), imageNet("GluonCV, timm"))
    ])
  )
]

const others: ReadonlyArray<PublishedModel> = [
  named("mobilenetv1_100", mobileNet(1, "relu6"), imageNet("timm")),
  ...([1, 0.75, 0.5, 0.25] as const).map((width) =>
    named(`mobilenet${width === 1 ? "1.0" : width}`, mobileNet(width, "relu"), imageNet("GluonCV"))
  ),
  named("inception_v3", inception, imageNet("torchvision, timm", 299)),
  named("inceptionv3", inception, imageNet("GluonCV", 299))
]

const cifarResNets: ReadonlyArray<PublishedModel> = [
  ...[20, 32, 44, 56, 110].map((depth) =>
    named(`resnet${depth}`, resNetCifar(depth, "A"), cifar("akamaster/pytorch_resnet_cifar10", 10))
  ),
  ...[10, 100].flatMap((numClasses) => [
    ...[20, 56, 110].map((depth) =>
      named(`resnet${depth}_cifar${numClasses}`, resNetCifar(depth, "B"), cifar("pytorchcv", numClasses))
    ),
    ...[20, 32, 44, 56].map((depth) =>
      named(
        `cifar${numClasses}_resnet${depth}`,
        resNetCifar(depth, "B"),
        cifar("chenyaofo/pytorch-cifar-models", numClasses)
      )
    )
  ]),
  ...[8, 32].map((depth) => named(`resnet${depth}x4`, resNetX4(depth), cifar("RepDistiller", 100)))
]

export const publishedModels: ReadonlyArray<PublishedModel> = [...resNets, ...others, ...cifarResNets]

/**
 * The network of a published name, as its library spells it: `resnet50d`, `timm/resnet50d.ra2_in1k`,
 * `gluon_resnet50_v1d`, `mobilenet1.0`. Fails with `UnknownModel`.
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
