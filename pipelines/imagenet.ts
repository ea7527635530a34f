/**
 * ILSVRC2012 by the whole recipe of He et al. 2018 (arXiv 1812.01187), the last row of its table 6:
 * ResNet-152-D teaches ResNet-50-D, MobileNet-V1 and Inception-V3.
 *
 *   npx distillery run imagenet --set images.source.path=<folder with the three official archives>
 *
 * Unpacked, as `train/<class>/` and `val/<class>/`:
 *
 *   … --set 'images.source={"_tag":"ImageFolder","path":"<folder>","testOnValidation":true}'
 *
 * Published, top-1 and top-5: ResNet-50-D 0.7929, 0.9463; MobileNet-V1 0.7251, 0.9102; Inception-V3 0.7834,
 * 0.9416 (the last two learn more without a teacher: 0.7328, 0.7877). It was not run here at full size: 200
 * epochs of ResNet-50-D alone are 6.7e18 floating-point operations. Prepared images take 262 and 459 GB of
 * disk beside the archives and their copy (`limit` of `prepared` and `prepared-299` takes fewer), and about
 * 3 GiB of memory while they are trained on. Training takes more: on CPUs 128 images of 224 pixels 13 GiB
 * with ResNet-152-D, of 299 pixels 1.8 times that; a smaller `microBatchSize` takes less.
 */
import * as Pipeline from "../lib/workflow/Pipeline.ts"
import { Distill } from "../stages/distill.ts"
import { Evaluate } from "../stages/evaluate.ts"
import { Ingest } from "../stages/ingest.ts"
import { Preprocess } from "../stages/preprocess.ts"
import { Pretrain } from "../stages/pretrain.ts"
import { WriteReport } from "../stages/report.ts"

const images = Ingest({ params: { source: { _tag: "ImageNet", path: "imagenet" } }, inputs: {} })

/**
 * Tested on the middle 224 (299) pixels of images whose shorter side has 256 (342); what lies around them is
 * stored too, and random crops are cut from all of it.
 */
const prepare = (size: number, shorterSide: number, margin: number) =>
  Preprocess({
    params: {
      height: size,
      width: size,
      channels: 3,
      fit: { kind: "center-crop", shorterSide, resampler: "bilinear" },
      margin,
      normalization: "paper",
      validation: 0
    },
    inputs: { dataset: images }
  })
const prepared = prepare(224, 256, 32)
const prepared299 = prepare(299, 342, 40)

/** 8 micro-batches of 128, as on the paper's 8 GPUs: a rate of 0.4 for 1,024 images. */
const training = {
  epochs: 200,
  batchSize: 1024,
  microBatchSize: 128,
  learningRate: 0.1,
  baseBatchSize: 256,
  warmupEpochs: 5,
  weightDecay: 1e-4,
  zeroGamma: true,
  initializer: "xavier-uniform",
  precision: "bfloat16",
  labelSmoothing: 0.1,
  mixup: 0.2,
  augment: { resizedCrop: {}, flip: true, colour: { kind: "paper" }, pcaNoise: 0.1 }
} as const

const master = { family: "resnet", depth: 152, variant: "D" } as const
const teacher = Pretrain({
  params: { architecture: master, training: { ...training, seed: 0 } },
  inputs: { dataset: prepared }
})
/** A teacher sees what its student sees, which for Inception-V3 is larger. */
const teacher299 = Pretrain({
  params: { architecture: master, training: { ...training, seed: 0 } },
  inputs: { dataset: prepared299 }
})

const temperature = 20
const resnet = Distill({
  params: {
    architecture: { family: "resnet", depth: 50, variant: "D" },
    training: { ...training, seed: 1 },
    temperature
  },
  inputs: { dataset: prepared, teacher }
})
const mobilenet = Distill({
  params: { architecture: { family: "mobilenet-v1" }, training: { ...training, seed: 2 }, temperature },
  inputs: { dataset: prepared, teacher }
})
const inception = Distill({
  params: { architecture: { family: "inception-v3" }, training: { ...training, seed: 3 }, temperature },
  inputs: { dataset: prepared299, teacher: teacher299 }
})

const models = { teacher, "teacher-299": teacher299, resnet, mobilenet, inception }
const datasets = {
  teacher: prepared,
  "teacher-299": prepared299,
  resnet: prepared,
  mobilenet: prepared,
  inception: prepared299
}
const evaluate = (name: keyof typeof models) =>
  Evaluate({ params: {}, inputs: { model: models[name], dataset: datasets[name] } })
const evaluations = {
  teacher: evaluate("teacher"),
  "teacher-299": evaluate("teacher-299"),
  resnet: evaluate("resnet"),
  mobilenet: evaluate("mobilenet"),
  inception: evaluate("inception")
}

const report = WriteReport({
  params: { title: "ILSVRC2012: the whole bag of tricks" },
  inputs: { evaluations, models, datasets }
})

export const pipeline = Pipeline.make(
  "imagenet",
  "ILSVRC2012 by the paper's whole recipe: ResNet-152-D teaches ResNet-50-D, MobileNet-V1 and Inception-V3",
  {
    images,
    prepared,
    "prepared-299": prepared299,
    ...models,
    "evaluate-teacher": evaluations.teacher,
    "evaluate-teacher-299": evaluations["teacher-299"],
    "evaluate-resnet": evaluations.resnet,
    "evaluate-mobilenet": evaluations.mobilenet,
    "evaluate-inception": evaluations.inception,
    report
  }
)
