import { assert, describe, it } from "@effect/vitest"
import { curvesSection } from "../../../lib/charts/curves-section.ts"
import type { ClassifierReport } from "../../../lib/charts/ReportDocument.ts"

type Record = ClassifierReport["history"][number]

const page = (changes: ReadonlyArray<Partial<Record>>): string => {
  const history = changes.map((change, index) => ({
    ...{ epoch: index + 1, learningRate: 0.1, train: { loss: 1 }, validation: {} },
    ...change
  }))
  const model: ClassifierReport = {
    ...{ task: "classification", name: "net & co", architecture: null, protocol: "", metrics: {}, history },
    ...{ dataset: null, transferred: null, perClass: [], confusion: [], confusedPairs: [], examples: [] }
  }
  return curvesSection("curves", [{ model, place: 0 }])
}

describe("the curves of a model whose loss was scaled", () => {
  it("say how many steps that cost, and the scale it came to", () => {
    const scaled = [
      { lossScale: 16384, skippedSteps: 2 },
      { lossScale: 8192, skippedSteps: 1 }
    ]
    assert.include(page(scaled), "net &amp; co: 3 steps skipped, loss scale 8192 at the end.")
    assert.notInclude(page([{}, {}]), "skipped")
  })
})
