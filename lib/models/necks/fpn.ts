/**
 * Feature pyramid (Lin et al., "Feature Pyramid Networks for Object Detection", arXiv 1612.03144): every map
 * gets the same number of channels and is added to the one above it, doubled. Further levels are
 * convolutions with stride 2 on top, with a ReLU between two of them (Lin et al., "Focal Loss", arXiv
 * 1708.02002, §4); they begin at the pyramid's own coarsest level, as torchvision's `LastLevelP6P7` does when
 * channels agree, where the paper's begins at c5.
 *
 * Names are torchvision's: `fpn.inner_blocks.0.0.weight` belongs to the finest map.
 */
import { type Conv, conv2d, convMacs, convWeights } from "../../nn/conv.ts"
import { repeatTwice } from "../../nn/upsample.ts"
import type { WeightSpec, WeightTensors } from "../../nn/Weights.ts"
import { tf } from "../../tensor/tf.ts"
import type { Backbone, FeatureName } from "../Backbone.ts"

/** One level of a pyramid. */
export interface Level {
  /** Input pixels per cell. */
  readonly stride: number
  readonly rows: number
  readonly columns: number
}

export interface Pyramid {
  readonly weights: ReadonlyArray<WeightSpec>
  /** Finest first; an image of `height` x `width` pixels has ceil(height / stride) rows of cells. */
  readonly levels: (height: number, width: number) => ReadonlyArray<Level>
  /** Features of a backbone → one map `[N, rows, columns, channels]` for each level, finest first. */
  readonly apply: (
    weights: WeightTensors,
    features: Readonly<Partial<Record<FeatureName, tf.Tensor4D>>>
  ) => ReadonlyArray<tf.Tensor4D>
  /** Multiply-accumulates for one image of `height` x `width` pixels. */
  readonly macs: (height: number, width: number) => number
}

/** The maps a pyramid is built on, finest first: c3 to c5, or the two coarsest of a backbone without c5. */
export const pyramidInputs = ({ features }: Backbone): ReadonlyArray<FeatureName> => {
  const known = (["c2", "c3", "c4", "c5"] as const).filter((name) => features[name] !== undefined)
  return known.includes("c5") ? known.filter((name) => name !== "c2") : known.slice(-2)
}

export interface PyramidOptions {
  readonly backbone: Backbone
  readonly channels: number
  /** Levels above the backbone's coarsest map. */
  readonly extraLevels: number
}

export const makePyramid = (options: PyramidOptions): Pyramid => {
  const inputs = pyramidInputs(options.backbone)
  const strides = stridesOf(options, inputs)
  const { extras, laterals, smoothings } = convolutions(options, inputs)
  const levels = (height: number, width: number) =>
    strides.map((stride) => ({
      stride,
      rows: Math.ceil(height / stride),
      columns: Math.ceil(width / stride)
    }))
  return {
    weights: [...laterals, ...smoothings, ...extras].flatMap(convWeights),
    levels,
    apply: (weights, features) => {
      const merged = topDown(inputs.map((name, index) => conv2d(weights, laterals[index]!, features[name]!)))
      const smooth = merged.map((map, index) => conv2d(weights, smoothings[index]!, map))
      return [...smooth, ...upwards(weights, extras, smooth.at(-1)!)]
    },
    macs: (height, width) => {
      const sizes = levels(height, width)
      const macsOf = (convs: ReadonlyArray<Conv>, finest: number) =>
        convs.reduce((sum, conv, index) => {
          const { columns, rows } = sizes[finest + index]!
          return sum + convMacs(conv, rows, columns)
        }, 0)
      // Each extra level reads the one below it.
      return macsOf(laterals, 0) + macsOf(smoothings, 0) + macsOf(extras, inputs.length - 1)
    }
  }
}

const convolutions = (
  { backbone, channels, extraLevels }: PyramidOptions,
  inputs: ReadonlyArray<FeatureName>
) => {
  const coarsest = Number(inputs.at(-1)!.slice(1))
  return {
    laterals: inputs.map((name, index) =>
      pyramidConv(`fpn.inner_blocks.${index}.0`, 1, backbone.features[name]!.channels, channels)
    ),
    smoothings: inputs.map((_, index) => pyramidConv(`fpn.layer_blocks.${index}.0`, 3, channels, channels)),
    extras: Array.from({ length: extraLevels }, (_, index) => ({
      ...pyramidConv(`fpn.extra_blocks.p${coarsest + 1 + index}`, 3, channels, channels),
      stride: 2
    }))
  }
}

/** Of every level, finest first. */
const stridesOf = (
  { backbone, extraLevels }: PyramidOptions,
  inputs: ReadonlyArray<FeatureName>
): ReadonlyArray<number> => {
  const strides = inputs.map((name) => backbone.features[name]!.stride)
  const first = strides[0]
  if (first === undefined || strides.some((stride, index) => stride !== first * 2 ** index)) {
    throw new Error(`A pyramid needs maps that double in stride; this backbone's have ${strides.join(", ")}.`)
  }
  return Array.from({ length: inputs.length + extraLevels }, (_, index) => first * 2 ** index)
}

/** No ReLU follows, so variance 1 / fan in keeps the scale of what comes in. */
const pyramidConv = (name: string, size: number, inputs: number, outputs: number): Conv => ({
  name,
  size,
  inputs,
  outputs,
  stride: 1,
  bias: true,
  initial: {
    kernel: { kind: "normal", deviation: 1 / Math.sqrt(size ** 2 * inputs) },
    bias: { kind: "constant", value: 0 }
  }
})

/** Each map plus the merged one above it, doubled; finest first. */
const topDown = (laterals: ReadonlyArray<tf.Tensor4D>): ReadonlyArray<tf.Tensor4D> => {
  const merged: Array<tf.Tensor4D> = []
  for (const map of laterals.toReversed()) {
    const above = merged[0]
    const [, rows, columns] = map.shape
    merged.unshift(above === undefined ? map : tf.add(map, repeatTwice(above, rows, columns)))
  }
  return merged
}

const upwards = (
  weights: WeightTensors,
  convs: ReadonlyArray<Conv>,
  coarsest: tf.Tensor4D
): ReadonlyArray<tf.Tensor4D> => {
  const maps: Array<tf.Tensor4D> = []
  for (const conv of convs) {
    const below = maps.at(-1)
    maps.push(conv2d(weights, conv, below === undefined ? coarsest : tf.relu(below)))
  }
  return maps
}
