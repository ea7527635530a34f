/**
 * Blood cells in 205 microscope images (BCCD, Shenggan 2017, MIT licence; 87 more to test on): a detector
 * on a backbone that has only ever seen rendered shapes. He et al. 2018 §5.1 in small, RetinaNet for
 * Faster R-CNN.
 *
 *   npx distillery run detection-bccd
 *
 * Expected on the 87 images: AP50 0.78 (VOC, all-point), AP 0.45 (COCO). The same network from scratch
 * stands beside it as `detector-from-scratch` and is better, 0.87 and 0.53: what rendered shapes teach is
 * no help here.
 */
import { Digest } from "../lib/storage/Digest.ts"
import * as Pipeline from "../lib/workflow/Pipeline.ts"
import { Evaluate } from "../stages/evaluate.ts"
import { Ingest } from "../stages/ingest.ts"
import { Preprocess } from "../stages/preprocess.ts"
import { Pretrain } from "../stages/pretrain.ts"
import { WriteReport } from "../stages/report.ts"
import { TransferDetection } from "../stages/transfer-detection.ts"

const scenes = Ingest({
  params: { source: { _tag: "Scenes", seed: 7, size: 64, numTrain: 3000, numTest: 500 } },
  inputs: {}
})
const shapes = Preprocess({
  params: { height: 64, width: 64, channels: 3, validation: 0 },
  inputs: { dataset: scenes }
})
const classifier = Pretrain({
  params: {
    architecture: { family: "resnet", depth: 18, width: 32 },
    training: {
      epochs: 8,
      batchSize: 64,
      learningRate: 0.1,
      augment: { pad: 4, flip: true },
      precision: "bfloat16"
    }
  },
  inputs: { dataset: shapes }
})

const cells = Ingest({
  params: {
    source: {
      _tag: "PascalVoc",
      files: {
        _tag: "Archive",
        name: "BCCD",
        root: "BCCD",
        locations: [
          { _tag: "Mirror", path: "bccd-trainval.tar" },
          { _tag: "Https", url: "https://codeload.github.com/Shenggan/BCCD_Dataset/tar.gz/d272fb14" }
        ],
        digest: Digest.make("sha256:ba6b033545bd0c039f09e92887158109e479b381eef55ab2164c90d36271cc2a")
      },
      classes: ["RBC", "WBC", "Platelets"],
      splits: { train: "ImageSets/Main/train.txt", test: "ImageSets/Main/val.txt" }
    }
  },
  inputs: {}
})
const prepared = Preprocess({
  params: { height: 240, width: 320, channels: 3, validation: 0 },
  inputs: { dataset: cells }
})

const detection = {
  head: { channels: 64, extraLevels: 0, towerConvs: 2 },
  anchors: { kind: "kmeans", perLevel: 3 },
  training: {
    epochs: 50,
    batchSize: 4,
    learningRate: 0.02,
    warmupEpochs: 2,
    weightDecay: 1e-4,
    gradientNormMax: 5,
    augment: { flip: true, flipVertical: true, scale: [0.8, 1.25] },
    precision: "bfloat16"
  }
} as const
const inputs = { dataset: prepared, classifier }
const detector = TransferDetection({ params: detection, inputs })
const fromScratch = TransferDetection({ params: { ...detection, start: "random" }, inputs })

const evaluations = {
  classifier: Evaluate({ params: {}, inputs: { model: classifier, dataset: shapes } }),
  detector: Evaluate({ params: {}, inputs: { model: detector, dataset: prepared } }),
  "detector-from-scratch": Evaluate({ params: {}, inputs: { model: fromScratch, dataset: prepared } })
}

const report = WriteReport({
  params: { title: "BCCD: a detector of blood cells" },
  inputs: {
    evaluations,
    models: { classifier, detector, "detector-from-scratch": fromScratch },
    datasets: { classifier: shapes, detector: prepared, "detector-from-scratch": prepared }
  }
})

export const pipeline = Pipeline.make(
  "detection-bccd",
  "Blood cells (205 images): a detector on a backbone pretrained on rendered shapes, and one from scratch",
  {
    scenes,
    shapes,
    classifier,
    cells,
    prepared,
    detector,
    "detector-from-scratch": fromScratch,
    "evaluate-classifier": evaluations.classifier,
    "evaluate-detector": evaluations.detector,
    "evaluate-from-scratch": evaluations["detector-from-scratch"],
    report
  }
)
