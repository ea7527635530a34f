/**
 * The whole mission at toy size, in minutes on any machine: a teacher, its student, and the student's
 * detector and segmenter, on `scenes` that are rendered, so nothing is downloaded.
 *
 *   npm start        (or: npx distillery run quickstart)
 *
 * Expected on the test images: teacher 0.92 top-1, student 0.88 at two thirds of the MACs, detector 0.47
 * AP50, segmenter 0.41 mean IoU. So few images show that it works, not how well.
 */
import * as Pipeline from "../lib/workflow/Pipeline.ts"
import { Distill } from "../stages/distill.ts"
import { Evaluate } from "../stages/evaluate.ts"
import { Ingest } from "../stages/ingest.ts"
import { Preprocess } from "../stages/preprocess.ts"
import { Pretrain } from "../stages/pretrain.ts"
import { WriteReport } from "../stages/report.ts"
import { TransferDetection } from "../stages/transfer-detection.ts"
import { TransferSegmentation } from "../stages/transfer-segmentation.ts"

const size = 64
const channels = 3

const scenes = Ingest({
  params: { source: { _tag: "Scenes", seed: 7, size, numTrain: 2400, numTest: 400 } },
  inputs: {}
})
const images = Preprocess({
  params: { height: size, width: size, channels, validation: 0.1 },
  inputs: { dataset: scenes }
})

/** Up to three shapes an image, smaller ones: larger images keep them recognisable. */
const denseSize = 96
const dense = { height: denseSize, width: denseSize, channels, validation: 0 } as const

const sceneBoxes = Ingest({
  params: {
    source: { _tag: "Scenes", task: "detection", seed: 8, size: denseSize, numTrain: 500, numTest: 100 }
  },
  inputs: {}
})
const boxes = Preprocess({ params: dense, inputs: { dataset: sceneBoxes } })

const sceneMasks = Ingest({
  params: {
    source: { _tag: "Scenes", task: "segmentation", seed: 9, size: denseSize, numTrain: 400, numTest: 100 }
  },
  inputs: {}
})
const masks = Preprocess({ params: dense, inputs: { dataset: sceneMasks } })

/** float32, so that it runs on every backend. */
const training = { warmupEpochs: 1, weightDecay: 5e-4, precision: "float32" } as const
const classifier = {
  ...training,
  epochs: 7,
  batchSize: 64,
  learningRate: 0.1,
  augment: { pad: 4, flip: true }
} as const
const small = { family: "resnet", depth: 10, width: 12 } as const

const teacher = Pretrain({
  params: { architecture: { ...small, width: 16 }, training: { ...classifier, seed: 0 } },
  inputs: { dataset: images }
})

const student = Distill({
  params: { architecture: small, training: { ...classifier, seed: 1 }, temperature: 4 },
  inputs: { dataset: images, teacher }
})

const detector = TransferDetection({
  params: {
    head: { channels: 32, extraLevels: 0, towerConvs: 1 },
    anchors: { kind: "kmeans", perLevel: 3 },
    training: {
      ...training,
      epochs: 14,
      batchSize: 4,
      learningRate: 0.02,
      gradientNormMax: 5,
      augment: { flip: true },
      seed: 2
    }
  },
  inputs: { dataset: boxes, classifier: student }
})

const segmenter = TransferSegmentation({
  params: {
    training: {
      ...training,
      epochs: 10,
      batchSize: 4,
      learningRate: 0.1,
      augment: { flip: true },
      seed: 3
    }
  },
  inputs: { dataset: masks, classifier: student }
})

const evaluations = {
  teacher: Evaluate({ params: {}, inputs: { model: teacher, dataset: images } }),
  student: Evaluate({ params: {}, inputs: { model: student, dataset: images } }),
  detector: Evaluate({ params: {}, inputs: { model: detector, dataset: boxes } }),
  segmenter: Evaluate({ params: {}, inputs: { model: segmenter, dataset: masks } })
}

const report = WriteReport({
  params: { title: "Quickstart: a teacher, its student, and what the student passes on" },
  inputs: {
    evaluations,
    models: { teacher, student, detector, segmenter },
    datasets: { teacher: images, student: images, detector: boxes, segmenter: masks }
  }
})

export const pipeline = Pipeline.make(
  "quickstart",
  "Teacher, student, detector and segmenter on rendered scenes: minutes on any machine, no download",
  {
    scenes,
    images,
    teacher,
    student,
    "scene-boxes": sceneBoxes,
    boxes,
    detector,
    "scene-masks": sceneMasks,
    masks,
    segmenter,
    "evaluate-teacher": evaluations.teacher,
    "evaluate-student": evaluations.student,
    "evaluate-detector": evaluations.detector,
    "evaluate-segmenter": evaluations.segmenter,
    report
  }
)
