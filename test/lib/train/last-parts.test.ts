import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Architecture } from "../../../lib/models/Architecture.ts"
import { loadClassifier } from "../../../lib/models/Classifier.ts"
import { lastParts } from "../../../lib/train/last-parts.ts"

const cases: ReadonlyArray<readonly [Architecture, ReadonlyArray<string>]> = [
  // The last block has a shortcut with a normalisation of its own, declared behind.
  [{ family: "resnet-cifar", depth: 8, width: 2, shortcut: "B" }, ["layer3.0.bn2", "fc"]],
  [{ family: "resnet", depth: 50, width: 8, variant: "D" }, ["layer4.2.bn3", "fc"]]
]
it.effect.each(cases)("%o: %o", ([architecture, expected]) =>
  Effect.gen(function* () {
    const classifier = yield* loadClassifier({ architecture, imageChannels: 3, numClasses: 4 })
    assert.deepStrictEqual(lastParts(classifier), expected)
  })
)

it.effect("of networks without residual blocks: the last normalisation of the classifier's own", () =>
  Effect.gen(function* () {
    const of = (architecture: Architecture) =>
      Effect.map(loadClassifier({ architecture, imageChannels: 3, numClasses: 4 }), lastParts)
    const mobile = yield* of({ family: "mobilenet-v1", width: 0.25, activation: "relu" })
    const inception = yield* of({ family: "inception-v3", auxiliary: true } as Architecture)
    for (const parts of [mobile, inception]) assert.lengthOf(parts, 2)
    assert.notMatch(inception.join(" "), /aux/i)
  })
)
