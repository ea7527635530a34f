/**
 * Street scenes from a car (CamVid, Brostow et al. 2009, in SegNet's 480 × 360 version with 11 classes;
 * every second image of its lists: 184 to train on, 51 to test on): a segmenter on a backbone that has
 * only ever seen rendered shapes. He et al. 2018 §5.2 in small.
 *
 *   DISTILLERY_MIRROR=<folder with camvid-half-trainval.tar> npx distillery run segmentation-camvid
 *
 * Expected on the 51 images: mean IoU 0.52, pixel accuracy 0.89. The same network from scratch stands
 * beside it as `segmenter-from-scratch` and is no worse, 0.53: what rendered shapes teach is no help here.
 */
import { Digest } from "../lib/storage/Digest.ts"
import * as Pipeline from "../lib/workflow/Pipeline.ts"
import { Evaluate } from "../stages/evaluate.ts"
import { Ingest } from "../stages/ingest.ts"
import { Preprocess } from "../stages/preprocess.ts"
import { Pretrain } from "../stages/pretrain.ts"
import { WriteReport } from "../stages/report.ts"
import { TransferSegmentation } from "../stages/transfer-segmentation.ts"

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

const streets = Ingest({
  params: {
    source: {
      _tag: "IndexMasks",
      files: {
        _tag: "Archive",
        name: "CamVid, every second image",
        root: "CamVid",
        locations: [{ _tag: "Mirror", path: "camvid-half-trainval.tar" }],
        digest: Digest.make("sha256:2fc30d13188688b539e812ad15514e9ce6af584a30c88479e01f77f706c7318c")
      },
      classes: [
        "sky",
        "building",
        "pole",
        "road",
        "pavement",
        "tree",
        "sign",
        "fence",
        "car",
        "pedestrian",
        "bicyclist"
      ],
      ignoreIndex: 11,
      splits: { train: "train.txt", test: "val.txt" }
    }
  },
  inputs: {}
})
const prepared = Preprocess({
  params: { height: 360, width: 480, channels: 3, validation: 0 },
  inputs: { dataset: streets }
})

const segmentation = {
  training: {
    epochs: 40,
    batchSize: 8,
    learningRate: 0.1,
    warmupEpochs: 2,
    weightDecay: 5e-4,
    augment: { flip: true, scale: [0.75, 1.5], brightness: 0.2, contrast: 0.2 },
    precision: "bfloat16"
  }
} as const
const inputs = { dataset: prepared, classifier }
const segmenter = TransferSegmentation({ params: segmentation, inputs })
const fromScratch = TransferSegmentation({ params: { ...segmentation, start: "random" }, inputs })

const evaluations = {
  classifier: Evaluate({ params: {}, inputs: { model: classifier, dataset: shapes } }),
  segmenter: Evaluate({ params: {}, inputs: { model: segmenter, dataset: prepared } }),
  "segmenter-from-scratch": Evaluate({ params: {}, inputs: { model: fromScratch, dataset: prepared } })
}

const report = WriteReport({
  params: { title: "CamVid: what is where in a street" },
  inputs: {
    evaluations,
    models: { classifier, segmenter, "segmenter-from-scratch": fromScratch },
    datasets: { classifier: shapes, segmenter: prepared, "segmenter-from-scratch": prepared }
  }
})

export const pipeline = Pipeline.make(
  "segmentation-camvid",
  "Streets (184 images): a segmenter on a backbone pretrained on rendered shapes, and one from scratch",
  {
    scenes,
    shapes,
    classifier,
    streets,
    prepared,
    segmenter,
    "segmenter-from-scratch": fromScratch,
    "evaluate-classifier": evaluations.classifier,
    "evaluate-segmenter": evaluations.segmenter,
    "evaluate-from-scratch": evaluations["segmenter-from-scratch"],
    report
  }
)
