/** What is trained and what is run: the same for our process and the peers'. */

import {
  type Architecture,
  InceptionV3,
  MobileNetV1,
  ResNet,
  ResNetCifar
} from "../../../lib/models/Architecture.ts"
import type { Precision } from "../../../lib/tensor/Runtime.ts"

export interface NetworkCase {
  readonly architecture: Architecture
  readonly batch: number
  /** Rows and columns of the images, which have three channels. */
  readonly size: number
  readonly numClasses: number
  /** Runs frozen in each step; the loss: cross-entropy and T² times the divergence of softened scores. */
  readonly teacher?: Architecture
}

const resNetCifar = (depth: number) => ResNetCifar.make({ family: "resnet-cifar", depth })
const resNet50 = ResNet.make({ family: "resnet", depth: 50 })
const mobileNetV1 = MobileNetV1.make({ family: "mobilenet-v1" })
/** Less what would be random, and the auxiliary head: both change little of the time. */
const inceptionV3 = InceptionV3.make({ family: "inception-v3", dropout: 0 })

export const trainingCases: { readonly [name: string]: NetworkCase } = {
  "resnet-20": { architecture: resNetCifar(20), batch: 128, size: 32, numClasses: 10 },
  "resnet-50": { architecture: resNet50, batch: 16, size: 224, numClasses: 1000 },
  "mobilenet-v1": { architecture: mobileNetV1, batch: 32, size: 224, numClasses: 1000 },
  "inception-v3": { architecture: inceptionV3, batch: 8, size: 299, numClasses: 1000 },
  "resnet-20-of-56": {
    architecture: resNetCifar(20),
    batch: 128,
    size: 32,
    numClasses: 10,
    teacher: resNetCifar(56)
  }
}

const evaluated = (architecture: Architecture, batch: number): NetworkCase => ({
  architecture,
  batch,
  size: 224,
  numClasses: 1000
})

export const inferenceCases: { readonly [name: string]: NetworkCase } = {
  "resnet-50-1": evaluated(resNet50, 1),
  "resnet-50-32": evaluated(resNet50, 32),
  "mobilenet-v1-1": evaluated(mobileNetV1, 1),
  "mobilenet-v1-32": evaluated(mobileNetV1, 32)
}

/** What one measuring process is told when it starts. */
export type Assignment = {
  readonly precision: Precision
  readonly threads: number
} & (
  | { readonly what: "training" | "inference"; readonly case: NetworkCase }
  /** A chain of so many products of square matrices: what the machine can do at best. */
  | { readonly what: "matmul"; readonly size: number; readonly count: number }
)

/** Of every training case. */
export const recipe = {
  labelSmoothing: 0.1,
  /** Of kernels only. */
  weightDecay: 5e-4,
  /** Nesterov's. */
  momentum: 0.9,
  learningRate: 0.01,
  temperature: 4
}

/** What a measuring process answers when it was told to run so many steps. */
export interface Timing {
  /** Milliseconds per step. */
  readonly wall: number
  /** CPU milliseconds per step of all its threads, and the part of them in the system. */
  readonly cpu: number
  readonly system: number
  /** Pages per step that had to be given to the process. */
  readonly pageFaults: number
  /** The most memory it has held so far. */
  readonly peakMebibytes: number
}
