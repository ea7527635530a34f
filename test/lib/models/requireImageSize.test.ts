import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { type Architecture, InceptionV3 } from "../../../lib/models/Architecture.ts"
import { type Classifier, loadClassifier } from "../../../lib/models/Classifier.ts"
import { requireImageSize } from "../../../lib/models/requireImageSize.ts"
import { fitClassifier } from "../../../lib/train/fit-classifier.ts"
import { TrainingParams } from "../../../lib/train/TrainingParams.ts"
import { classificationTask } from "../../../lib/train/tasks/classification.ts"
import { JobContext } from "../../../lib/workflow/JobContext.ts"
import { toyDataset } from "../../suites/trainer.ts"
import { portable } from "../../support/runtimes.ts"
import { jobLayer } from "../../support/stageServices.ts"

const inception = InceptionV3.make({ family: "inception-v3" })
const withAuxiliary = InceptionV3.make({ family: "inception-v3", auxiliary: true })

const load = (architecture: Architecture) => loadClassifier({ architecture, imageChannels: 3, numClasses: 2 })

const messageOf = (classifier: Classifier, height: number, width: number, learns: boolean) =>
  requireImageSize(classifier, { height, width }, learns).pipe(
    Effect.flip,
    Effect.map((error) => error.message)
  )

describe("images for a network whose windows have no padding", () => {
  it.effect("have 75 pixels along each side, and 299 for the auxiliary classifier", () =>
    Effect.gen(function* () {
      const plain = yield* load(inception)
      yield* requireImageSize(plain, { height: 75, width: 75 }, true)
      assert.strictEqual(
        yield* messageOf(plain, 224, 74, true),
        "Images of 224 x 74 pixels are too small: the windows of this network have no padding, so that it " +
          "takes at least 75 x 75. Set height and width of the preprocessing to 75 or more, or choose an " +
          "architecture whose windows have padding (resnet, mobilenet-v1)."
      )
      const both = yield* load(withAuxiliary)
      yield* requireImageSize(both, { height: 299, width: 300 }, true)
      yield* requireImageSize(both, { height: 75, width: 75 }, false)
      assert.strictEqual(
        yield* messageOf(both, 298, 299, true),
        "Images of 298 x 299 pixels are too small: the windows of the auxiliary classifier of this network " +
          "have no padding, so that it takes at least 299 x 299. Set height and width of the preprocessing " +
          "to 299 or more, or train without it (auxiliary: false), which takes 75 pixels or more."
      )
    })
  )

  it.effect("are told to be too small before anything is trained", () =>
    Effect.gen(function* () {
      const classifier = yield* loadClassifier({
        architecture: InceptionV3.make({ family: "inception-v3", width: 0.25, dropout: 0 }),
        imageChannels: 1,
        numClasses: 2
      })
      const params = TrainingParams.make({ epochs: 1, batchSize: 8, warmupEpochs: 0 })
      const error = yield* fitClassifier({
        classifier,
        task: classificationTask(classifier, params),
        params,
        acting: {},
        dataset: toyDataset,
        validation: undefined,
        normalization: { mean: [0.5], std: [0.25] },
        host: yield* JobContext
      }).pipe(Effect.flip)
      assert.match(error.message, /^Images of 8 x 8 pixels are too small/)
    }).pipe(Effect.scoped, Effect.provide(Layer.mergeAll(jobLayer(), portable.layer)))
  )

  it.effect("may be of any size elsewhere", () =>
    Effect.gen(function* () {
      const networks = [
        { family: "resnet", depth: 18, width: 8 },
        { family: "mobilenet-v1", width: 0.25, activation: "relu" },
        { family: "resnet-cifar", depth: 8, width: 4, shortcut: "A" }
      ] as const
      for (const architecture of networks) {
        yield* requireImageSize(yield* load(architecture), { height: 1, width: 1 }, true)
      }
    })
  )
})
