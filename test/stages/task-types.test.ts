/** The task of a dataset is a type: what the compiler refuses, the definition of a pipeline refuses too. */
import { assert, describe, it } from "@effect/vitest"
import type { ArtifactRef } from "../../lib/workflow/Artifact.ts"
import type { ImageDatasetValue, PreparedDatasetValue } from "../../stages/artifacts.ts"
import { Evaluate } from "../../stages/evaluate.ts"
import { Ingest } from "../../stages/ingest.ts"
import { Preprocess } from "../../stages/preprocess.ts"
import { Pretrain } from "../../stages/pretrain.ts"
import { TransferDetection } from "../../stages/transfer-detection.ts"
import { TransferSegmentation } from "../../stages/transfer-segmentation.ts"

const scenes = { _tag: "Scenes", numTrain: 8, numTest: 8 } as const
const files = { _tag: "Folder", path: "/data" } as const
const splits = { train: "train.txt", test: "val.txt" }
const size = { height: 32, width: 32, channels: 3 } as const

const labelled = Ingest({ params: { source: scenes }, inputs: {} })
const boxed = Ingest({ params: { source: { ...scenes, task: "detection" } }, inputs: {} })
const masked = Ingest({ params: { source: { ...scenes, task: "segmentation" } }, inputs: {} })
const voc = Ingest({ params: { source: { _tag: "PascalVoc", files, classes: ["a"], splits } }, inputs: {} })
const masks = Ingest({
  params: { source: { _tag: "IndexMasks", files, classes: ["a", "b"], ignoreIndex: null, splits } },
  inputs: {}
})

const images = Preprocess({ params: size, inputs: { dataset: labelled } })
const boxes = Preprocess({ params: size, inputs: { dataset: voc } })
const classifier = Pretrain({
  params: {
    architecture: { family: "resnet", depth: 10, width: 8 },
    training: { epochs: 1, batchSize: 8, learningRate: 0.1 }
  },
  inputs: { dataset: images }
})
const transfer = { training: { epochs: 1, batchSize: 8, learningRate: 0.1 } }

/** Compiles only where the result is of this task and no other. */
const isOf = <R extends ArtifactRef<unknown>>(ref: R) => ref.type.name

describe("a source decides the task", () => {
  it("for the compiler and for the pipeline", () => {
    assert.deepStrictEqual(
      [
        isOf<ArtifactRef<ImageDatasetValue<"classification">>>(labelled),
        isOf<ArtifactRef<ImageDatasetValue<"detection">>>(boxed),
        isOf<ArtifactRef<ImageDatasetValue<"segmentation">>>(masked),
        isOf<ArtifactRef<ImageDatasetValue<"detection">>>(voc),
        isOf<ArtifactRef<ImageDatasetValue<"segmentation">>>(masks),
        isOf<ArtifactRef<PreparedDatasetValue<"detection">>>(boxes)
      ],
      [
        "image-dataset/classification",
        "image-dataset/detection",
        "image-dataset/segmentation",
        "image-dataset/detection",
        "image-dataset/segmentation",
        "prepared-dataset/detection"
      ]
    )
    // @ts-expect-error boxes are not labels
    isOf<ArtifactRef<ImageDatasetValue<"classification">>>(voc)
  })
})

describe("a task's stages take no other task's datasets", () => {
  it("a detector no labelled images", () =>
    assert.throws(
      // @ts-expect-error images with labels are no images with boxes
      () => TransferDetection({ params: transfer, inputs: { dataset: images, classifier } }),
      /takes prepared-dataset\/detection, not the prepared-dataset\/classification of stage "preprocess"/
    ))

  it("a segmenter no boxes", () =>
    assert.throws(
      // @ts-expect-error boxes are no masks
      () => TransferSegmentation({ params: transfer, inputs: { dataset: boxes, classifier } }),
      /takes prepared-dataset\/segmentation, not the prepared-dataset\/detection/
    ))

  it("a classifier no masks", () =>
    assert.throws(
      () =>
        Pretrain({
          params: {
            architecture: { family: "resnet", depth: 10, width: 8 },
            training: { epochs: 1, batchSize: 8, learningRate: 0.1 }
          },
          // @ts-expect-error masks are no labels
          inputs: { dataset: Preprocess({ params: size, inputs: { dataset: masked } }) }
        }),
      /takes prepared-dataset\/classification, not the prepared-dataset\/segmentation/
    ))

  it("images with boxes are not cut to their middle", () =>
    assert.throws(
      () =>
        Preprocess({
          params: { ...size, fit: { kind: "center-crop", shorterSide: 64, resampler: "bilinear" } },
          inputs: { dataset: voc }
        }),
      /fit "center-crop" is for classification; for detection it is "stretch" or "pad"/
    ))

  it("and the size of a test is not chosen for boxes", () => {
    const model = TransferDetection({ params: transfer, inputs: { dataset: boxes, classifier } })
    assert.throws(
      () => Evaluate({ params: { imageSize: 64 }, inputs: { model, dataset: boxes } }),
      /imageSize is for classifiers/
    )
    assert.doesNotThrow(() =>
      Evaluate({ params: { imageSize: 64 }, inputs: { model: classifier, dataset: images } })
    )
  })

  it("and preprocessing takes no prepared images", () =>
    assert.throws(
      // @ts-expect-error they are prepared already
      () => Preprocess({ params: size, inputs: { dataset: images } }),
      /its input "dataset" takes/
    ))
})

describe("params of sources", () => {
  it("are checked by the compiler, through the source that is inferred", () => {
    assert.throws(
      // @ts-expect-error no such task
      () => Ingest({ params: { source: { ...scenes, task: "captions" } }, inputs: {} }),
      /\["source"\]\["task"\]/
    )
    assert.throws(
      // @ts-expect-error no such param
      () => Ingest({ params: { source: { ...scenes, sides: 3 } }, inputs: {} }),
      /sides/
    )
  })
})
