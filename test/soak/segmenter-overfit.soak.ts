/** As far as it goes: `npm test` takes a third of the epochs. */
import { describe } from "@effect/vitest"
import { segmenterOverfitSuite } from "../suites/segmenterOverfit.ts"
import { native } from "../support/runtimes.ts"

describe.skipIf(native.skipped !== "")(`transfer to segmentation${native.skipped}`, () =>
  segmenterOverfitSuite({ epochs: 360, learningRate: 0.2, warmupEpochs: 20, meanIoU: 0.98 })
)
