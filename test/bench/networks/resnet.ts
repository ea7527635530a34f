/** ResNets (He et al. 2016) as torchvision and the CIFAR literature build them, projections as shortcuts. */
import { type ConvNorm, conv, type Layer, type Network, pool } from "./Layer.ts"

/** ResNet-50: bottleneck blocks whose stride is in the 3x3 convolution ("v1.5"). */
export const resNet50 = (): Network => ({
  layers: [
    conv("conv1", 3, 64, { size: 7, stride: 2 }),
    pool("max", 3, 2, 1),
    ...group("layer1", 3, 64, 64, 1),
    ...group("layer2", 4, 256, 128, 2),
    ...group("layer3", 6, 512, 256, 2),
    ...group("layer4", 3, 1024, 512, 2)
  ],
  channels: 2048
})

const group = (name: string, count: number, inputs: number, width: number, stride: number) =>
  Array.from({ length: count }, (_, index) =>
    index === 0
      ? bottleneck(`${name}.0`, inputs, width, stride)
      : bottleneck(`${name}.${index}`, 4 * width, width, 1)
  )

const bottleneck = (name: string, inputs: number, width: number, stride: number): Layer =>
  residual(
    [
      conv(`${name}.conv1`, inputs, width),
      conv(`${name}.conv2`, width, width, { size: 3, stride }),
      conv(`${name}.conv3`, width, 4 * width, { relu: false })
    ],
    inputs === 4 * width ? undefined : conv(`${name}.downsample`, inputs, 4 * width, { stride, relu: false })
  )

/** CIFAR ResNet of `depth` 6n + 2: the network of `lib/models/backbones/resnet-cifar.ts` for the peer. */
export const resNetCifar = (depth: number): Network => ({
  layers: [
    conv("conv1", 3, 16, { size: 3 }),
    ...[16, 32, 64].flatMap((width, index) =>
      Array.from({ length: (depth - 2) / 6 }, (_, block) =>
        basic(`layer${index + 1}.${block}`, block === 0 && index > 0 ? width / 2 : width, width)
      )
    )
  ],
  channels: 64
})

const basic = (name: string, inputs: number, width: number): Layer => {
  const stride = inputs === width ? 1 : 2
  return residual(
    [
      conv(`${name}.conv1`, inputs, width, { size: 3, stride }),
      conv(`${name}.conv2`, width, width, { size: 3, relu: false })
    ],
    stride === 1 ? undefined : conv(`${name}.downsample`, inputs, width, { stride, relu: false })
  )
}

const residual = (branch: ReadonlyArray<ConvNorm>, shortcut: ConvNorm | undefined): Layer => ({
  kind: "residual",
  branch,
  ...(shortcut && { shortcut })
})
