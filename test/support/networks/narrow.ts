/** Narrow relatives of well-known networks: every kind of layer they are made of, in little time. */
import { Effect } from "effect"
import { type Classifier, loadClassifier, makeClassifier } from "../../../lib/models/Classifier.ts"
import { sequentialBackbone } from "../../../lib/models/sequential-backbone.ts"
import type { Conv } from "../../../lib/nn/conv.ts"
import { concat, type LayerFor, pool, sequence } from "../../../lib/nn/layers.ts"

export const NUM_CLASSES = 4

const conv =
  (
    name: string,
    outputs: number,
    window: Partial<Pick<Conv, "size" | "stride" | "padding" | "depthwise">> = {}
  ): LayerFor =>
  (inputs) => ({
    kind: "conv",
    activation: "relu",
    conv: { name: `${name}.conv`, inputs, outputs, size: 1, stride: 1, ...window },
    norm: { name: `${name}.bn`, channels: outputs }
  })

/** MobileNet-V1 (Howard et al. 2017) with an eighth of its widths, the first five of its pairs. */
const mobileNet = (): LayerFor => {
  const pairs = [
    [4, 8, 1],
    [8, 16, 2],
    [16, 16, 1],
    [16, 32, 2],
    [32, 32, 1]
  ] as const
  return sequence(
    conv("conv1", 4, { size: 3, stride: 2 }),
    ...pairs.flatMap(([inputs, outputs, stride], index) => [
      conv(`layers.${index}.depthwise`, inputs, { size: 3, stride, depthwise: true }),
      conv(`layers.${index}.pointwise`, outputs)
    ])
  )
}

const whole = { padding: "none" } as const

/** One block each of Inception-V3's kinds A (5x5, local mean), C (1x7, 7x1) and D (strides, max pool). */
const inception = (): LayerFor =>
  sequence(
    conv("stem", 8, { size: 3, ...whole }),
    concat(
      conv("a.single", 4),
      sequence(conv("a.five_1", 4), conv("a.five_2", 4, { size: 5 })),
      sequence(() => ({ kind: "local-mean", size: 3 }), conv("a.pool", 4))
    ),
    concat(
      conv("c.single", 4),
      sequence(conv("c.seven_1", 4, { size: [1, 7] }), conv("c.seven_2", 8, { size: [7, 1] }))
    ),
    concat(conv("d.three", 8, { size: 3, stride: 2, ...whole }), pool("max-pool", 3, 2))
  )

export type NarrowName = "ResNet-20" | "MobileNet-V1" | "Inception"

export const NARROW: ReadonlyArray<NarrowName> = ["ResNet-20", "MobileNet-V1", "Inception"]

/** Takes images `[N, 17, 17, 3]`. The Inception drops half of its features while it learns. */
export const narrowClassifier = (name: NarrowName): Effect.Effect<Classifier> => {
  if (name === "MobileNet-V1") return Effect.succeed(sequential(mobileNet(), 0))
  if (name === "Inception") return Effect.succeed(sequential(inception(), 0.5))
  const architecture = { family: "resnet-cifar", depth: 20, width: 4, shortcut: "B" } as const
  return loadClassifier({ architecture, imageChannels: 3, numClasses: NUM_CLASSES })
}

const sequential = (layers: LayerFor, dropout: number): Classifier => {
  const backbone = sequentialBackbone({ imageChannels: 3, parts: [["c5", layers]] })
  return makeClassifier({ ...backbone, classifier: { dropout } }, NUM_CLASSES)
}
