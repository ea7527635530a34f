import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { nextSteps, quoted } from "../../../infra/cli/nextSteps.ts"
import * as Artifact from "../../../lib/workflow/Artifact.ts"
import * as Pipeline from "../../../lib/workflow/Pipeline.ts"
import * as Stage from "../../../lib/workflow/Stage.ts"
import { manifest } from "../reporting/fixtures.ts"

const kind = (name: string) => Artifact.type(name, Schema.Struct({}))
const [Classifier, Detector, Segmenter, Report] = [
  kind("classifier"),
  kind("detector"),
  kind("segmenter"),
  kind("report")
]
const never = () => Promise.reject(new Error("no stage runs in these tests"))
const train = (output: typeof Classifier) =>
  Stage.make(`train-${output.name}`, { params: Schema.Struct({}), inputs: {}, output, run: never })({
    params: {},
    inputs: {}
  })
const [teacher, student, unseen] = [train(Classifier), train(Classifier), train(Classifier)]
const [detector, segmenter] = [train(Detector), train(Segmenter)]
const report = Stage.make("report", {
  params: Schema.Struct({}),
  inputs: { models: Stage.many(Artifact.oneOf(Classifier, Detector, Segmenter)) },
  output: Report,
  run: never
})({ params: {}, inputs: { models: { teacher, student, boxes: detector, segmenter } } })
const jobs = { teacher, student, "my-detector": detector, segmenter, unseen, report }
const pipeline = Pipeline.make("toy", "a toy", jobs)

const manifests = Object.fromEntries(
  Object.entries(jobs).map(([name, ref]) => [name, manifest(name, "a stage", ref.type.name, {})])
)
const sample = (evaluation: string, file: string) => {
  return { evaluation, file: join(process.cwd(), "samples", file), label: "" }
}
const exported = {
  html: join(process.cwd(), "report.html"),
  json: join(process.cwd(), "report.json"),
  samples: [
    sample("teacher", "t.png"),
    sample("student", "s.png"),
    sample("student", "later.png"),
    sample("boxes", "it's here.png"),
    sample("segmenter", "m.png")
  ]
}

describe("what to do after a run", () => {
  it("is the report, and the last model of each kind on an image of its own", () => {
    assert.deepStrictEqual(nextSteps(pipeline, { manifests }, exported), [
      "",
      "Report: report.html",
      "Try:    npx distillery predict toy/student samples/s.png",
      "        npx distillery predict toy/my-detector 'samples/it'\\''s here.png'",
      "        npx distillery predict toy/segmenter samples/m.png"
    ])
  })

  it("leaves out models that were not made, and those without a sample", () => {
    const { segmenter: _, ...others } = manifests
    const samples = exported.samples.filter(({ evaluation }) => evaluation !== "boxes")
    assert.deepStrictEqual(nextSteps(pipeline, { manifests: others }, { ...exported, samples }), [
      "",
      "Report: report.html",
      "Try:    npx distillery predict toy/student samples/s.png"
    ])
  })

  it("is nothing without a report", () =>
    assert.deepStrictEqual(nextSteps(pipeline, { manifests }, undefined), []))

  it("quotes what a shell would take apart", () => {
    assert.deepStrictEqual(["a/b-1.png", "a b", "$HOME", "it's"].map(quoted), [
      "a/b-1.png",
      "'a b'",
      "'$HOME'",
      "'it'\\''s'"
    ])
  })
})
