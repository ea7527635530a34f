/**
 * CIFAR-10 (Krizhevsky 2009): a ResNet-56 teaches a ResNet-20 and a ResNet-8, by GluonCV's recipe for these
 * networks, with a cosine in place of its steps.
 *
 *   npx distillery run cifar10
 *
 * Published for the recipe with steps, on the 10,000 test images after 200 epochs: ResNet-56 0.936, ResNet-20
 * 0.921 (GluonCV). 200 epochs of all five trainings take about two days on 2 cores; 12 of one ResNet-20 ten
 * minutes:
 *
 *   npx distillery run cifar10 --to evaluate-student-alone --set student-alone.training.epochs=12
 */
import { Digest } from "../lib/storage/Digest.ts"
import * as Pipeline from "../lib/workflow/Pipeline.ts"
import { Distill } from "../stages/distill.ts"
import { Evaluate } from "../stages/evaluate.ts"
import { Ingest } from "../stages/ingest.ts"
import { Preprocess } from "../stages/preprocess.ts"
import { Pretrain } from "../stages/pretrain.ts"
import { WriteReport } from "../stages/report.ts"

/** The official binary batches; the digest follows from the published SHA-256 of each of the six. */
const images = Ingest({
  params: {
    source: {
      _tag: "Cifar",
      files: {
        _tag: "Archive",
        name: "CIFAR-10, binary version",
        root: "cifar-10-batches-bin",
        locations: [
          { _tag: "Mirror", path: "cifar-10-binary.tar.gz" },
          { _tag: "Https", url: "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz" }
        ],
        digest: Digest.make("sha256:0366e3c03deb1a8301a1e79e167ec976c8b28194005e3d6297281f773382dcc7")
      },
      classes: ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    }
  },
  inputs: {}
})

/** All 50,000 images are trained on, as in what is published. */
const prepared = Preprocess({
  params: {
    height: 32,
    width: 32,
    channels: 3,
    normalization: { mean: [0.4914, 0.4822, 0.4465], std: [0.2023, 0.1994, 0.201] },
    validation: 0
  },
  inputs: { dataset: images }
})

const training = {
  epochs: 200,
  batchSize: 128,
  learningRate: 0.1,
  warmupEpochs: 0,
  weightDecay: 1e-4,
  initializer: "xavier-uniform",
  precision: "bfloat16",
  augment: { pad: 4, flip: true }
} as const
const resnet = (depth: number) => ({ family: "resnet-cifar", depth, width: 16, shortcut: "B" }) as const

const alone = (depth: number, seed: number) =>
  Pretrain({
    params: { architecture: resnet(depth), training: { ...training, seed } },
    inputs: { dataset: prepared }
  })
const teacher = alone(56, 0)
const taught = (depth: number, seed: number) =>
  Distill({
    params: { architecture: resnet(depth), training: { ...training, seed }, temperature: 4 },
    inputs: { dataset: prepared, teacher }
  })

const models = {
  teacher,
  "student-alone": alone(20, 1),
  student: taught(20, 1),
  "small-student-alone": alone(8, 2),
  "small-student": taught(8, 2)
}

const evaluate = (model: typeof teacher) => Evaluate({ params: {}, inputs: { model, dataset: prepared } })
const evaluations = {
  teacher: evaluate(models.teacher),
  "student-alone": evaluate(models["student-alone"]),
  student: evaluate(models.student),
  "small-student-alone": evaluate(models["small-student-alone"]),
  "small-student": evaluate(models["small-student"])
}

const report = WriteReport({
  params: { title: "CIFAR-10: a teacher and two students" },
  inputs: {
    evaluations,
    models,
    datasets: {
      teacher: prepared,
      "student-alone": prepared,
      student: prepared,
      "small-student-alone": prepared,
      "small-student": prepared
    }
  }
})

export const pipeline = Pipeline.make(
  "cifar10",
  "CIFAR-10: a ResNet-56 teaches a ResNet-20 and a ResNet-8, 200 epochs each (about two days on 2 cores)",
  {
    images,
    prepared,
    ...models,
    "evaluate-teacher": evaluations.teacher,
    "evaluate-student-alone": evaluations["student-alone"],
    "evaluate-student": evaluations.student,
    "evaluate-small-student-alone": evaluations["small-student-alone"],
    "evaluate-small-student": evaluations["small-student"],
    report
  }
)
