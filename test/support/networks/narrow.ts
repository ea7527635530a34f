/** Narrow relatives of well-known networks: every kind of layer they are made of, in little time. */
import { Effect } from "effect"
import { type Classifier, loadClassifier } from "../../../lib/models/Classifier.ts"
import { concat, conv, type Layer, type Network, pool, sequence } from "../../bench/networks/Layer.ts"
import { layerClassifier } from "../../bench/networks/layerClassifier.ts"

export const NUM_CLASSES = 4

/** MobileNet-V1 (Howard et al. 2017) with an eighth of its widths, the first five of its pairs. */
const mobileNet = (): Network => {
  const pairs = [
    [4, 8, 1],
    [8, 16, 2],
    [16, 16, 1],
    [16, 32, 2],
    [32, 32, 1]
  ] as const
  return {
    layers: [
      conv("conv1", 3, 4, { size: 3, stride: 2 }),
      ...pairs.flatMap(([inputs, outputs, stride], index) => [
        conv(`layers.${index}.depthwise`, inputs, inputs, { size: 3, stride, depthwise: true }),
        conv(`layers.${index}.pointwise`, inputs, outputs)
      ])
    ],
    channels: 32
  }
}

/** One block each of Inception-V3's kinds A (5x5, average pool), C (1x7, 7x1) and D (strides, max pool). */
const inception = (): Network => ({
  layers: [
    conv("stem", 3, 8, { size: 3, padding: 0 }),
    concat(
      conv("a.single", 8, 4),
      sequence(conv("a.five_1", 8, 4), conv("a.five_2", 4, 4, { size: 5 })),
      sequence(pool("average", 3, 1, 1), conv("a.pool", 8, 4))
    ),
    concat(
      conv("c.single", 12, 4),
      sequence(conv("c.seven_1", 12, 4, { size: [1, 7] }), conv("c.seven_2", 4, 8, { size: [7, 1] }))
    ),
    halving("d", 12)
  ],
  channels: 20
})

const halving = (name: string, inputs: number): Layer =>
  concat(conv(`${name}.three`, inputs, 8, { size: 3, stride: 2, padding: 0 }), pool("max", 3, 2, 0))

export type NarrowName = "ResNet-20" | "MobileNet-V1" | "Inception"

export const NARROW: ReadonlyArray<NarrowName> = ["ResNet-20", "MobileNet-V1", "Inception"]

/** Takes images `[N, 17, 17, 3]`. */
export const narrowClassifier = (name: NarrowName): Effect.Effect<Classifier> => {
  if (name === "MobileNet-V1") return Effect.succeed(layerClassifier(mobileNet(), NUM_CLASSES))
  if (name === "Inception") return Effect.succeed(layerClassifier(inception(), NUM_CLASSES))
  const architecture = { family: "resnet-cifar", depth: 20, width: 4, shortcut: "B" } as const
  return loadClassifier({ architecture, imageChannels: 3, numClasses: NUM_CLASSES })
}
