/**
 * The README's example at toy size: a ResNet-20 that others have trained on CIFAR-10
 * (akamaster/pytorch_resnet_cifar10 d5489e89, from the mirror) says of 20 test images what PyTorch says, and
 * teaches a ResNet-8 on them. Skipped without DISTILLERY_MIRROR.
 */
import { existsSync, mkdirSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { Effect } from "effect"
import { assert, beforeAll, describe, it } from "vitest"
import { memberOfFile } from "../../infra/sources/archive.ts"
import { runPipeline } from "../../infra/testing/runPipeline.ts"
import { encodeNetpbm } from "../../lib/data/formats/netpbm.ts"
import { decodeClassPredictions } from "../../lib/data/predictions.ts"
import { Digest } from "../../lib/storage/Digest.ts"
import * as Pipeline from "../../lib/workflow/Pipeline.ts"
import { Distill } from "../../stages/distill.ts"
import { Evaluate } from "../../stages/evaluate.ts"
import { ImportModel } from "../../stages/import-model.ts"
import { Ingest } from "../../stages/ingest.ts"
import { Preprocess } from "../../stages/preprocess.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"

const mirror =
  process.env.DISTILLERY_MIRROR ?? fileURLToPath(new URL("../../../shared/data", import.meta.url))
const archive = join(mirror, "weights.tar")
const canRun = existsSync(archive)
const skipped = canRun ? "" : " (skipped: the mirror has no weights.tar)"

interface Expected {
  readonly mean: ReadonlyArray<number>
  readonly std: ReadonlyArray<number>
  readonly classes: ReadonlyArray<string>
  readonly models: {
    readonly [name: string]: { readonly logits: ReadonlyArray<ReadonlyArray<number>> }
  }
}

const member = (name: string) =>
  Effect.runPromise(memberOfFile("weights.tar", archive, `weights/${name}`, 2 ** 24))

const name = "resnet20-12fca82f"
const folder = temporaryFolder()
const imageBytes = 32 * 32 * 3

/** Two images of each class, in the order of the classes; the array lies behind NumPy's header. */
const writeImages = async (classes: ReadonlyArray<string>): Promise<void> => {
  const array = await member("cifar10_20imgs_uint8_nhwc.npy")
  const pixels = array.subarray(array.length - 20 * imageBytes)
  for (let at = 0; at < 20; at++) {
    const image = { pixels: pixels.subarray(at * imageBytes, (at + 1) * imageBytes), height: 32, width: 32 }
    for (const split of ["train", "test"]) {
      const file = join(folder, split, classes[Math.floor(at / 2)]!, `${at}.ppm`)
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, encodeNetpbm({ ...image, channels: 3 }))
    }
  }
}

const makePipeline = ({ classes, mean, std }: Expected) => {
  const size = { height: 32, width: 32, channels: 3 } as const
  const images = Ingest({ params: { source: { _tag: "ImageFolder", path: folder } }, inputs: {} })
  const prepared = Preprocess({
    params: { ...size, normalization: { mean, std }, validation: 0 },
    inputs: { dataset: images }
  })
  const teacher = ImportModel({
    params: {
      weights: {
        _tag: "Source",
        name: `${name}.safetensors`,
        sha256: Digest.make("sha256:aa2b4ec2af0f0896af30d40f23d76bfb70368e106461bc460ddaad27da6a4a23"),
        compression: "none",
        locations: [{ _tag: "Mirror", path: `weights.tar/weights/${name}.safetensors` }]
      },
      architecture: "resnet20",
      classes,
      preprocessing: { ...size, fit: "stretch", mean, std },
      attribution: { source: "akamaster/pytorch_resnet_cifar10 d5489e89", licence: "BSD-2-Clause" }
    },
    inputs: {}
  })
  const student = Distill({
    params: {
      architecture: { family: "resnet-cifar", depth: 8, width: 4, shortcut: "B" },
      training: { epochs: 1, batchSize: 20, warmupEpochs: 0 },
      temperature: 4
    },
    inputs: { dataset: prepared, teacher }
  })
  const evaluation = Evaluate({ params: {}, inputs: { model: teacher, dataset: prepared } })
  const refs = { images, prepared, teacher, student, "evaluate-teacher": evaluation }
  return { refs, pipeline: Pipeline.make("cifar10-published", "a published teacher", refs) }
}

const softmax = (logits: ReadonlyArray<number>): ReadonlyArray<number> => {
  const exponentials = logits.map((logit) => Math.exp(logit - Math.max(...logits)))
  const sum = exponentials.reduce((total, value) => total + value, 0)
  return exponentials.map((value) => value / sum)
}

describe.skipIf(!canRun)(`published weights${skipped}`, () => {
  let expected: Expected
  beforeAll(async () => {
    process.env.DISTILLERY_MIRROR = mirror
    expected = JSON.parse(new TextDecoder().decode(await member("resnet_cifar10_expected.json")))
    await writeImages(expected.classes)
  })

  it("answer as in PyTorch, and teach", async () => {
    const { pipeline, refs } = makePipeline(expected)
    const { outputOf, store } = await runPipeline(pipeline)
    const teacher = outputOf(refs.teacher)
    assert.deepStrictEqual([teacher.numParams, teacher.history], [269_722, []])
    assert.strictEqual(teacher.imported?.file, `${name}.safetensors`)

    const { predictions } = outputOf(refs["evaluate-teacher"])
    const found = await Effect.runPromise(decodeClassPredictions(await store.get(predictions)))
    const wanted = expected.models[name]!.logits.map(softmax)
    wanted.forEach((probabilities, image) => {
      const best = Math.max(...probabilities)
      assert.strictEqual(found.classes[image], probabilities.indexOf(best))
      assert.closeTo(found.probabilities[image]!, best, 1e-4)
    })

    const student = outputOf(refs.student)
    assert.deepStrictEqual(student.classes, expected.classes)
    assert.lengthOf(student.history, 1)
  }, 60_000)
})
