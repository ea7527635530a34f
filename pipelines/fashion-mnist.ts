/**
 * Fashion-MNIST (Xiao et al. 2017, arXiv 1708.07747): a ResNet-20 teaches a ResNet-8 of half its width.
 *
 *   npx distillery run fashion-mnist
 *
 * Expected on the 10,000 test images after 10 epochs: teacher 0.932, student alone 0.907, student with its
 * teacher 0.916 (each ± 0.005). The student has a thirteenth of the teacher's MACs.
 */
import { Digest } from "../lib/storage/Digest.ts"
import * as Pipeline from "../lib/workflow/Pipeline.ts"
import { Distill } from "../stages/distill.ts"
import { Evaluate } from "../stages/evaluate.ts"
import { Ingest } from "../stages/ingest.ts"
import { Preprocess } from "../stages/preprocess.ts"
import { Pretrain } from "../stages/pretrain.ts"
import { WriteReport } from "../stages/report.ts"

/** One of the four official files; the digest is of its decompressed bytes. */
const file = (name: string, sha256: string) => ({
  name,
  sha256: Digest.make(`sha256:${sha256}`),
  compression: "gzip" as const,
  locations: [
    { _tag: "Mirror" as const, path: `fashion-mnist.tar/fashion-mnist/${name}.gz` },
    {
      _tag: "Debian" as const,
      package: "dataset-fashion-mnist",
      path: `usr/share/datasets/fashion-mnist/${name}.gz`
    },
    {
      _tag: "Https" as const,
      url: `https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/${name}.gz`
    }
  ]
})

export const images = Ingest({
  params: {
    source: {
      _tag: "Idx",
      files: {
        trainImages: file(
          "train-images-idx3-ubyte",
          "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"
        ),
        trainLabels: file(
          "train-labels-idx1-ubyte",
          "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"
        ),
        testImages: file(
          "t10k-images-idx3-ubyte",
          "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"
        ),
        testLabels: file(
          "t10k-labels-idx1-ubyte",
          "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"
        )
      },
      classes: [
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot"
      ]
    }
  },
  inputs: {}
})

/**
 * All 60,000 images are trained on: the published comparisons do so, and the last epoch is the one that
 * counts.
 */
export const prepared = Preprocess({
  params: { height: 28, width: 28, channels: 1, validation: 0 },
  inputs: { dataset: images }
})

export const training = {
  epochs: 10,
  batchSize: 128,
  learningRate: 0.1,
  warmupEpochs: 1,
  weightDecay: 5e-4,
  augment: { pad: 2, flip: true }
} as const
/** So narrow a network spends more on casts than bfloat16 saves: the students compute in float32. */
export const small = { family: "resnet-cifar", depth: 8, width: 8, shortcut: "B" } as const

export const teacher = Pretrain({
  params: {
    architecture: { family: "resnet-cifar", depth: 20, width: 16, shortcut: "B" },
    training: { ...training, precision: "bfloat16", seed: 0 }
  },
  inputs: { dataset: prepared }
})

const student = Distill({
  params: { architecture: small, training: { ...training, precision: "float32", seed: 1 }, temperature: 4 },
  inputs: { dataset: prepared, teacher }
})

const studentAlone = Pretrain({
  params: { architecture: small, training: { ...training, precision: "float32", seed: 1 } },
  inputs: { dataset: prepared }
})

const evaluate = (model: typeof teacher) => Evaluate({ params: {}, inputs: { model, dataset: prepared } })
const evaluations = {
  teacher: evaluate(teacher),
  "student-alone": evaluate(studentAlone),
  student: evaluate(student)
}

const report = WriteReport({
  params: { title: "Fashion-MNIST: a teacher and its student" },
  inputs: {
    evaluations,
    models: { teacher, "student-alone": studentAlone, student },
    datasets: { teacher: prepared, "student-alone": prepared, student: prepared }
  }
})

export const pipeline = Pipeline.make(
  "fashion-mnist",
  "Fashion-MNIST: a ResNet-20 teaches a ResNet-8 with a thirteenth of its MACs (about 12 minutes on 2 cores)",
  {
    images,
    prepared,
    teacher,
    "student-alone": studentAlone,
    student,
    "evaluate-teacher": evaluations.teacher,
    "evaluate-student-alone": evaluations["student-alone"],
    "evaluate-student": evaluations.student,
    report
  }
)
