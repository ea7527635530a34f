/** Weights as PyTorch saves them, in files of one's own, become a classifier; what does not fit is told. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { Effect } from "effect"
import { assert, describe, it } from "vitest"
import { digestOf } from "../../infra/hashing.ts"
import { runStage } from "../../infra/testing/runStage.ts"
import { loadClassifier } from "../../lib/models/Classifier.ts"
import { encodeSafetensors, type NamedArray } from "../../lib/models/safetensors.ts"
import { decodeWeights } from "../../lib/models/weights.ts"
import { sizeOf } from "../../lib/nn/Weights.ts"
import { RandomStream } from "../../lib/tensor/random.ts"
import { ImportModel, type ImportModelParams } from "../../stages/import-model.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"

type Params = typeof ImportModelParams.Encoded

const folder = temporaryFolder()
const architecture = { family: "resnet-cifar", depth: 8, width: 2, shortcut: "B" } as const
const classes = ["cat", "dog", "owl"]
const preprocessing = {
  ...({ height: 8, width: 8, channels: 3 } as const),
  fit: { kind: "center-crop", shorterSide: 9, resampler: "bicubic" },
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225]
} as const
const attribution = { source: "a test", licence: "none" }

const classifierOf = (numClasses: number) => loadClassifier({ architecture, imageChannels: 3, numClasses })
const classifier = await Effect.runPromise(classifierOf(3))

/** Kernels `[out, in, H, W]` and `[out, in]`. */
const torchShape = (shape: ReadonlyArray<number>): ReadonlyArray<number> =>
  shape.length === 4 ? [shape[3]!, shape[2]!, shape[0]!, shape[1]!] : shape.toReversed()

const random = RandomStream.make(3)
const arrays: { readonly [name: string]: NamedArray } = Object.fromEntries(
  classifier.weights.map(({ name, shape }) => [
    name.replace(/^fc\./, "linear."),
    {
      shape: torchShape(shape),
      values: Float32Array.from({ length: sizeOf(shape) }, () => random.between(-1, 1))
    }
  ])
)

const write = (name: string, bytes: Uint8Array | string) => {
  const path = join(folder, name)
  writeFileSync(path, bytes)
  return path
}

const counter = { "bn1.num_batches_tracked": { shape: [], values: Int32Array.of(7) } }
const bytes = encodeSafetensors({ arrays: { ...arrays, ...counter }, metadata: {} })
const file = write("toy.safetensors", bytes)

const imported = (params: Partial<Params> = {}) =>
  runStage(ImportModel, {
    params: {
      ...{ weights: { _tag: "File", path: file }, architecture, classes, preprocessing, attribution },
      ...params
    },
    inputs: {}
  })

const refusal = (params: Partial<Params>) =>
  imported(params).then(
    () => assert.fail("it was taken"),
    (error: { readonly errorTag?: string; readonly reason?: string; readonly message: string }) =>
      `${error.errorTag ?? ""} ${error.reason ?? ""} ${error.message}`
  )

describe("weights of a file", () => {
  it("become a classifier that says where it comes from", async () => {
    const { notes, store, value } = await imported()
    const { imported: origin, weights, ...rest } = value
    assert.deepStrictEqual(rest, {
      ...{ _tag: "Classifier", architecture, classes, preprocessing, history: [] },
      numParams: classifier.parameters,
      macs: classifier.macs(8, 8)
    })
    assert.deepInclude(origin, { file: "toy.safetensors", digest: digestOf(bytes), attribution })
    assert.deepStrictEqual(origin?.report.renamed.map(({ from, to }) => `${from} ${to}`).sort(), [
      "linear.bias fc.bias",
      "linear.weight fc.weight"
    ])
    assert.deepStrictEqual(
      origin?.report.leftOut.map(({ name }) => name),
      ["bn1.num_batches_tracked"]
    )
    assert.match(notes[0]!, /^toy\.safetensors: takes \d+ weights/)
    const found = await Effect.runPromise(decodeWeights(await store.get(weights), classifier.weights))
    const [out, channels] = arrays["conv1.weight"]!.shape as [number, number]
    const values = arrays["conv1.weight"]!.values
    assert.strictEqual(found["conv1.weight"]!.values[1 * out + 1], values[(1 * channels + 1) * 9])
    assert.deepStrictEqual(found["bn1.running_var"]!.values, arrays["bn1.running_var"]!.values)
  })

  it("take labels from a file, and an architecture by its published name", async () => {
    const labels = write("labels.txt", "cat\ndog\nowl\n")
    const { value } = await imported({ classes: { _tag: "File", path: labels } })
    assert.deepStrictEqual(value.classes, classes)
    const ref = ImportModel({
      params: {
        ...{ weights: { _tag: "File", path: "x" }, classes, preprocessing, attribution },
        architecture: "timm/resnet18.a1_in1k"
      },
      inputs: {}
    })
    assert.deepInclude(ref.params.architecture, { family: "resnet", depth: 18 })
  })
})

describe("what does not fit is refused", () => {
  const other = { ...arrays, "conv1.weight": { shape: [2, 1, 3, 3], values: new Float32Array(18) } }
  const broken = { ...arrays, "bn1.weight": { shape: [2], values: Float32Array.of(1, Number.NaN) } }
  const fileOf = (name: string, written: typeof arrays) => ({
    _tag: "File" as const,
    path: write(name, encodeSafetensors({ arrays: written, metadata: {} }))
  })
  const cases: ReadonlyArray<readonly [string, Partial<Params>, RegExp]> = [
    [
      "other labels",
      { classes: ["cat", "dog"] },
      /LabelsMismatch .*"toy\.safetensors" tell 3 classes apart, and there are 2 labels\. Give one label for/
    ],
    [
      "another architecture",
      { architecture: { ...architecture, depth: 14 } },
      /WeightsMismatch .*missing: layer1\.1\./
    ],
    [
      "images that are too small",
      { architecture: { family: "inception-v3" } },
      /ImagesTooSmall .*8 x 8 pixels are too small.*at least 75 x 75/
    ],
    ["another shape", { weights: fileOf("grey", other) }, /conv1\.weight \[2,1,3,3\], not \[2,3,3,3\]/],
    ["no number", { weights: fileOf("nan", broken) }, /WeightsNotFinite .*"nan".*bn1\.weight holds NaN/],
    ["no weights", { weights: { _tag: "File", path: write("page", "<html>") } }, /it is a web page/],
    [
      "another content than is named",
      { weights: { _tag: "File", path: file, digest: digestOf("other") } },
      /SourceDigestMismatch .*wrong content/
    ],
    ["broken labels", { classes: { _tag: "File", path: write("gap.txt", "a\n\nb") } }, /line 2 is empty/],
    [
      "no file",
      { weights: { _tag: "File", path: join(folder, "absent.pth") } },
      /reads ".*absent\.pth" \(its weights\), which cannot be read: it does not exist/
    ]
  ]
  it.each(cases)("%s", async (_, params, message) => assert.match(await refusal(params), message))

  it("before anything is read, where params alone are wrong", () => {
    const refused = (params: Partial<Params>, message: RegExp) =>
      assert.throws(
        () =>
          ImportModel({
            params: {
              ...{ weights: { _tag: "File", path: file }, architecture, classes, preprocessing, attribution },
              ...params
            },
            inputs: {}
          }),
        message
      )
    refused({ architecture: "resnet1" }, /There is no network "resnet1"\. Take one of these: .*resnet18/)
    refused({ classes: [] }, /classes/)
    refused(
      { preprocessing: { ...preprocessing, std: [1, 1] } },
      /a mean and a std for each of the 3 channels/
    )
    refused(
      { preprocessing: { ...preprocessing, fit: { ...preprocessing.fit, shorterSide: 7 } } },
      /fit\.shorterSide is 7, less than the 8 pixels/
    )
  })
})
