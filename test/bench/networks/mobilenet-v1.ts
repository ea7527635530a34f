/** MobileNet-V1 1.0 (Howard et al. 2017, arXiv 1704.04861, table 1). */
import { conv, type Network } from "./Layer.ts"

export const mobileNetV1 = (): Network => ({
  layers: [
    conv("conv1", 3, 32, { size: 3, stride: 2 }),
    ...separable.flatMap(([inputs, outputs, stride], index) => [
      conv(`layers.${index}.depthwise`, inputs, inputs, { size: 3, stride, depthwise: true }),
      conv(`layers.${index}.pointwise`, inputs, outputs)
    ])
  ],
  channels: 1024
})

const separable: ReadonlyArray<readonly [inputs: number, outputs: number, stride: number]> = [
  [32, 64, 1],
  [64, 128, 2],
  [128, 128, 1],
  [128, 256, 2],
  [256, 256, 1],
  [256, 512, 2],
  [512, 512, 1],
  [512, 512, 1],
  [512, 512, 1],
  [512, 512, 1],
  [512, 512, 1],
  [512, 1024, 2],
  [1024, 1024, 1]
]
