import { assert, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { findModel } from "../../../infra/cli/findModel.ts"
import { ObjectStore } from "../../../lib/storage/ObjectStore.ts"
import { mainScope, type Scope } from "../../../lib/storage/Signature.ts"
import type { ArtifactType } from "../../../lib/workflow/Artifact.ts"
import { ManifestStore, manifestStoreLayer } from "../../../lib/workflow/ManifestStore.ts"
import { runReportKey } from "../../../lib/workflow/RunReport.ts"
import { Classifier, Detector, Evaluation, Segmenter } from "../../../stages/artifacts.ts"
import { evaluatedClassifier, evaluatedDetector, evaluatedSegmenter } from "../../support/evaluatedModels.ts"
import { trueManifest } from "../../support/manifests.ts"
import { testSigning } from "../../support/signing.ts"
import { blobsLayer } from "../../support/stageServices.ts"
import { manifest, record, reportOf } from "../reporting/fixtures.ts"

/** Publishes a job's result under a key of its own. */
const publish = Effect.fn(function* <A>(job: string, type: ArtifactType<A>, value: A) {
  const encoded = Schema.encodeSync(type.schema)(value) as Schema.Json
  const stored = yield* trueManifest({
    ...manifest(job, "a stage", type.name, encoded),
    params: { job }
  })
  yield* (yield* ManifestStore).publish(stored, { replace: false })
  return record(job, "a stage", { key: stored.jobKey, state: "ran" })
})

/** A run with a model of each kind, and an evaluation, which is none. */
const stored = Effect.gen(function* () {
  const options = { numImages: 2, size: 16 }
  const { evaluation, model } = yield* evaluatedClassifier(options)
  const report = reportOf("ok", [
    yield* publish("student", Classifier, model),
    yield* publish("detector", Detector, (yield* evaluatedDetector(options)).model),
    yield* publish("segmenter", Segmenter, (yield* evaluatedSegmenter(options)).model),
    yield* publish("evaluation", Evaluation.classification, evaluation)
  ])
  const bytes = new TextEncoder().encode(JSON.stringify(report))
  yield* (yield* ObjectStore).put(runReportKey(mainScope, report.runId), bytes)
})

const storage = manifestStoreLayer.pipe(Layer.provideMerge(testSigning), Layer.provideMerge(blobsLayer))

it.layer(storage)("finding a model", (it) => {
  it.effect.each([
    ["student", "Classifier"],
    ["toy/detector", "Detector"],
    ["segmenter", "Segmenter"]
  ] as const)("%s is a %s", ([name, tag]) =>
    Effect.gen(function* () {
      yield* stored
      const found = yield* findModel(name)
      assert.deepStrictEqual([found.value._tag, found.pipeline], [tag, "toy"])
    })
  )

  it.effect("a run that is told of in another scope names no models", () =>
    Effect.gen(function* () {
      const { evaluation } = yield* evaluatedClassifier({ numImages: 2, size: 16 })
      const other = yield* publish("other", Evaluation.classification, evaluation)
      const { runId, ...report } = reportOf("ok", [{ ...other, name: "student" }])
      const planted = `9${runId.slice(1)}`
      const bytes = new TextEncoder().encode(JSON.stringify({ ...report, runId: planted }))
      const store = yield* ObjectStore
      yield* stored
      yield* store.put(runReportKey("pr/7" as Scope, planted), bytes)
      assert.strictEqual((yield* findModel("student")).value._tag, "Classifier")
      yield* store.put(runReportKey(mainScope, planted), bytes)
      assert.match((yield* Effect.flip(findModel("toy/student"))).message, /is no model/)
      yield* store.remove(runReportKey(mainScope, planted))
    })
  )

  it.effect("what is no model is refused, with the names of those that are", () =>
    Effect.gen(function* () {
      yield* stored
      const error = yield* Effect.flip(findModel("toy/evaluation"))
      assert.match(error.message, /"toy\/evaluation" is no model but a result of type "evaluation\/classif/)
      assert.match(error.message, /Models are toy\/student, toy\/detector, toy\/segmenter$/)
      assert.match((yield* Effect.flip(findModel("detecter"))).message, /did you mean "detector"\?/)
    })
  )
})
