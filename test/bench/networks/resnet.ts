/** ResNets (He et al. 2016) as torchvision and the CIFAR literature build them, projections as shortcuts. */
import type { ConvNorm } from "../../../lib/nn/conv-norm.ts"
import type { PeerLayer, PeerNetwork, Residual } from "./peerNetwork.ts"

/** ResNet-50: bottleneck blocks whose stride is in the 3x3 convolution ("v1.5"). */
export const resNet50 = (): PeerNetwork => ({
  layers: [
    rectified(convNorm(3, 64, 7, 2)),
    { kind: "halving-max-pool" },
    ...group(3, 64, 64, 1),
    ...group(4, 256, 128, 2),
    ...group(6, 512, 256, 2),
    ...group(3, 1024, 512, 2)
  ],
  channels: 2048
})

const group = (count: number, inputs: number, width: number, stride: number) =>
  Array.from({ length: count }, (_, index) =>
    index === 0 ? bottleneck(inputs, width, stride) : bottleneck(4 * width, width, 1)
  )

const bottleneck = (inputs: number, width: number, stride: number): PeerLayer =>
  residual(
    [convNorm(inputs, width, 1), convNorm(width, width, 3, stride), convNorm(width, 4 * width, 1)],
    inputs === 4 * width ? undefined : convNorm(inputs, 4 * width, 1, stride)
  )

/** CIFAR ResNet of `depth` 6n + 2. */
export const resNetCifar = (depth: number): PeerNetwork => ({
  layers: [
    rectified(convNorm(3, 16, 3)),
    ...[16, 32, 64].flatMap((width, index) =>
      Array.from({ length: (depth - 2) / 6 }, (_, block) =>
        basic(block === 0 && index > 0 ? width / 2 : width, width)
      )
    )
  ],
  channels: 64
})

const basic = (inputs: number, width: number): PeerLayer => {
  const stride = inputs === width ? 1 : 2
  return residual(
    [convNorm(inputs, width, 3, stride), convNorm(width, width, 3)],
    stride === 1 ? undefined : convNorm(inputs, width, 1, stride)
  )
}

/** PyTorch's modules need no names. */
const convNorm = (inputs: number, outputs: number, size: number, stride = 1): ConvNorm => ({
  conv: { name: "", size, inputs, outputs, stride },
  norm: { name: "", channels: outputs }
})

const rectified = (unit: ConvNorm): PeerLayer => ({ kind: "conv", ...unit, activation: "relu" })

const residual = (branch: ReadonlyArray<ConvNorm>, shortcut: ConvNorm | undefined): Residual => ({
  kind: "residual",
  branch,
  ...(shortcut && { shortcut })
})
