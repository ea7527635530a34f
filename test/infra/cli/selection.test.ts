import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { namesOf, selectionFrom, withOverrides } from "../../../infra/cli/selection.ts"
import { leftOut } from "../../../lib/models/withDefault.ts"
import * as Artifact from "../../../lib/workflow/Artifact.ts"
import * as Pipeline from "../../../lib/workflow/Pipeline.ts"
import * as Stage from "../../../lib/workflow/Stage.ts"
import { pipelines } from "../../../pipelines/index.ts"

const Thing = Artifact.type("thing", Schema.String)
const Make = Stage.make("make", {
  params: Schema.Struct({
    temperature: Schema.Number,
    name: Schema.String,
    training: Schema.Struct({
      epochs: Schema.Int,
      rates: Schema.Array(Schema.Number),
      decay: leftOut(
        Schema.Number.check(Schema.makeFilter((value: number) => value <= 1 || "decay must be at most 1")),
        0
      )
    })
  }),
  inputs: {},
  output: Thing,
  run: () => Promise.reject(new Error("no stage runs in these tests"))
})
const params = { temperature: 4, name: "x", training: { epochs: 10, rates: [1] } }
const pipeline = Pipeline.make("toy", "a toy", {
  teacher: Make({ params, inputs: {} }),
  student: Make({ params, inputs: {} })
})

const flags = (changes: Partial<Parameters<typeof selectionFrom>[1]>) => ({
  only: [],
  from: [],
  downstream: [],
  to: [],
  force: [],
  noCache: false,
  ...changes
})
const paramsOf = (made: Pipeline.Pipeline, job: string) =>
  made.jobs.find(({ name }) => name === job)?.ref.params
const refusal = (...texts: ReadonlyArray<string>) =>
  Effect.map(Effect.flip(withOverrides(pipeline, texts)), (error) => error.message)

describe("selecting jobs", () => {
  it("names come repeated, with commas, and once each", () => {
    assert.deepStrictEqual(namesOf(["a,b", " c ,", "a"]), ["a", "b", "c"])
  })

  it.effect("flags become a selection", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* selectionFrom(pipeline, flags({})), {})
      assert.deepStrictEqual(
        yield* selectionFrom(
          pipeline,
          flags({ only: ["teacher,student"], from: ["student"], force: ["teacher"] })
        ),
        { only: ["teacher", "student"], from: ["student"], force: ["teacher"] }
      )
      assert.deepStrictEqual(yield* selectionFrom(pipeline, flags({ force: ["all"] })), { force: "all" })
      assert.deepStrictEqual(
        yield* selectionFrom(
          pipeline,
          flags({ downstream: ["teacher"], to: ["student", "teacher"], noCache: true })
        ),
        { downstream: ["teacher"], to: ["student", "teacher"], noCache: true }
      )
    })
  )

  it.effect("an unknown job is refused with the flag and the nearest name", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(selectionFrom(pipeline, flags({ from: ["studnt"] })))
      assert.strictEqual(error.message, '--from: pipeline "toy" has no job "studnt": did you mean "student"?')
    })
  )
})

describe("--set", () => {
  it.effect("values are JSON, else strings; paths have dots; other jobs stay as they are", () =>
    Effect.gen(function* () {
      const made = yield* withOverrides(pipeline, [
        "student.temperature=8",
        "student.name=a=b",
        "student.training.epochs=3",
        "student.training.rates=[0.5, 2]"
      ])
      const changed = { temperature: 8, name: "a=b", training: { epochs: 3, rates: [0.5, 2] } }
      assert.deepStrictEqual(paramsOf(made, "student"), changed)
      assert.deepStrictEqual(paramsOf(made, "teacher"), params)
    })
  )

  it.effect("says what is wrong", () =>
    Effect.gen(function* () {
      assert.strictEqual(
        yield* refusal("student.temprature=8"),
        '--set student.temprature: there is no param "temprature": did you mean "temperature"?'
      )
      assert.strictEqual(
        yield* refusal("student.training.epoch=8"),
        '--set student.training.epoch: there is no param "epoch" in "training": did you mean "epochs"?'
      )
      assert.strictEqual(
        yield* refusal("student.temperature=hot"),
        '--set student.temperature="hot": expected number (at temperature)'
      )
      assert.strictEqual(
        yield* refusal("student.training.decay=2"),
        "--set student.training.decay=2: decay must be at most 1 (at training.decay)"
      )
      assert.strictEqual(
        yield* refusal("student.training.decya=0.5"),
        '--set student.training.decya: there is no param "decya" in "training": did you mean "decay"?'
      )
      assert.strictEqual(
        yield* refusal("studnt.temperature=8"),
        '--set: pipeline "toy" has no job "studnt": did you mean "student"?'
      )
      for (const text of ["student", "student=8", "=8", "student.=8", ".a=8", "student..a=8"]) {
        assert.include(yield* refusal(text), `--set: "${text}" is no setting of a param`)
      }
    })
  )

  const fashion = Effect.promise(pipelines["fashion-mnist"]!)
  it.effect.each([
    ["student.training.mixpu=0.2", 'in "training": did you mean "mixup"?'],
    ["student.training.augment.pcaNosie=0.1", 'in "training.augment": did you mean "pcaNoise"?'],
    ["student.architecture.stme=8", 'in "architecture": did you mean "stem"?'],
    ["student.architecture.varient=8", 'in "architecture": there are family, depth, '],
    ["student.techerMargin=0.1", 'did you mean "teacherMargin"?'],
    ["evaluate-student.imagesize=36", 'did you mean "imageSize"?']
  ] as const)("knows params that are left out where they are as usual: %s", ([text, message]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(withOverrides((yield* fashion).pipeline, [text]))
      assert.include(error.message, message)
    })
  )
})
