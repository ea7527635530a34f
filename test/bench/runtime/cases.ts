/** What is trained and what is run: the same for our process and the peers'. */
import type { Precision } from "../../../lib/tensor/Runtime.ts"
import { inceptionV3 } from "../networks/inception-v3.ts"
import type { Network } from "../networks/Layer.ts"
import { mobileNetV1 } from "../networks/mobilenet-v1.ts"
import { resNet50, resNetCifar } from "../networks/resnet.ts"

export interface NetworkCase {
  readonly network: Network
  readonly batch: number
  /** Rows and columns of the images, which have three channels. */
  readonly size: number
  readonly numClasses: number
  /** Runs frozen in each step; the loss: cross-entropy and T² times the divergence of softened scores. */
  readonly teacher?: Network
}

export const trainingCases: { readonly [name: string]: NetworkCase } = {
  "resnet-20": { network: resNetCifar(20), batch: 128, size: 32, numClasses: 10 },
  "resnet-50": { network: resNet50(), batch: 16, size: 224, numClasses: 1000 },
  "mobilenet-v1": { network: mobileNetV1(), batch: 32, size: 224, numClasses: 1000 },
  "inception-v3": { network: inceptionV3(), batch: 8, size: 299, numClasses: 1000 },
  "resnet-20-of-56": {
    network: resNetCifar(20),
    batch: 128,
    size: 32,
    numClasses: 10,
    teacher: resNetCifar(56)
  }
}

const evaluated = (network: Network, batch: number): NetworkCase => ({
  network,
  batch,
  size: 224,
  numClasses: 1000
})

export const inferenceCases: { readonly [name: string]: NetworkCase } = {
  "resnet-50-1": evaluated(resNet50(), 1),
  "resnet-50-32": evaluated(resNet50(), 32),
  "mobilenet-v1-1": evaluated(mobileNetV1(), 1),
  "mobilenet-v1-32": evaluated(mobileNetV1(), 32)
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
