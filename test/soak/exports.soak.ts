/**
 * Networks of full size, exported in all formats, read back as `distillery export` does; and by a real
 * browser with plain TensorFlow.js, and by Python (EXPORTS_PYTHON: programs, separated by commas, that import
 * some of tensorflow, onnx with onnxruntime, torch with torchvision).
 */
import { execFileSync } from "node:child_process"
import { mkdtempSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { compareExport } from "../../infra/cli/exportComparison.ts"
import { exportedFiles, type LoadedModel } from "../../infra/cli/exportedFiles.ts"
import { writeFiles } from "../../infra/cli/exportFolder.ts"
import { formats } from "../../infra/cli/ModelCard.ts"
import {
  comparisonImages,
  differenceOf,
  numCompared,
  relativeTolerance
} from "../../lib/export/comparison.ts"
import type { Architecture } from "../../lib/models/Architecture.ts"
import { classifierLogits } from "../../lib/train/evaluate-classifier.ts"
import { browser, resultOfPage } from "../support/browser.ts"
import { exportedModel } from "../support/exportedModels.ts"
import { onnxRuntime } from "../support/onnxRuntime.ts"
import { native } from "../support/runtimes.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"

interface FullSize {
  readonly name: string
  readonly architecture: Architecture
  readonly size: number
  /** Its name in torchvision, where it is there. */
  readonly torchvision?: string
}

const networks: ReadonlyArray<FullSize> = [
  { name: "ResNet-50-D", architecture: { family: "resnet", depth: 50, width: 64, variant: "D" }, size: 224 },
  {
    name: "ResNet-50",
    architecture: { family: "resnet", depth: 50, width: 64 },
    size: 224,
    torchvision: "resnet50"
  },
  {
    name: "MobileNet-V1",
    architecture: { family: "mobilenet-v1", width: 1, activation: "relu" },
    size: 224
  },
  {
    name: "Inception-V3",
    architecture: { family: "inception-v3", width: 1, auxiliary: true, dropout: 0.5 },
    size: 299,
    torchvision: "inception_v3"
  }
]

const folder = temporaryFolder()
const packages = join(import.meta.dirname, "../../node_modules/@tensorflow")
const pythons = (process.env.EXPORTS_PYTHON ?? "").split(",").filter((program) => program !== "")
const noPython = pythons.length === 0 ? " (Python skipped: EXPORTS_PYTHON is not set)" : ""
const noBrowser = browser === undefined ? " (skipped: there is no Chromium)" : ""

const referenceOf = ({ classifier, value, weights }: LoadedModel) => {
  const { channels, height, width } = value.preprocessing
  const images = comparisonImages([height, width, channels])
  const dataset = { images, labels: new Int32Array(numCompared), height, width, channels }
  return Effect.map(
    classifierLogits({ classifier, weights, dataset, normalization: value.preprocessing, batchSize: 4 }),
    (logits) => ({ images, logits })
  )
}

/** Loads the export as a user's page does, and predicts two images at a time. */
const pageFor = (backend: string, [height, width, channels]: ReadonlyArray<number>, classes: number) => `
<script src="/packages/tfjs/dist/tf.min.js"></script>
<script src="/packages/tfjs-backend-wasm/dist/tf-backend-wasm.min.js"></script>
<script>
const run = async () => {
  if ("${backend}" === "wasm") tf.wasm.setWasmPaths("/packages/tfjs-backend-wasm/dist/")
  if (!await tf.setBackend("${backend}")) throw new Error("the backend ${backend} does not start")
  const model = await tf.loadGraphModel("/export/tfjs/model.json")
  const bytes = new Uint8Array(await (await fetch("/export/images.bin")).arrayBuffer())
  const size = ${height} * ${width} * ${channels}
  const logits = []
  for (let image = 0; image < ${numCompared}; image += 2) {
    const pixels = tf.tensor(Float32Array.from(bytes.subarray(image * size, (image + 2) * size)),
      [2, ${height}, ${width}, ${channels}])
    const found = model.predict(pixels)
    logits.push(...await found.logits.data())
    const sums = await found.probabilities.sum(1).data()
    if (sums.some((sum) => Math.abs(sum - 1) > 1e-4)) throw new Error("probabilities sum to " + sums)
    tf.dispose([pixels, found])
  }
  if (logits.length !== ${numCompared * classes}) throw new Error("there are " + logits.length + " logits")
  return { backend: tf.getBackend(), version: tf.version_core, logits }
}
run().catch((error) => ({ error: String(error) }))
  .then((result) => fetch("/result", { method: "POST", body: JSON.stringify(result) }))
</script>`

const inBrowser = async (backend: string, place: string, model: LoadedModel) => {
  const { channels, height, width } = model.value.preprocessing
  const result = await resultOfPage(browser!, {
    html: pageFor(backend, [height, width, channels], model.value.classes.length),
    folders: { packages, export: place },
    profileFolder: mkdtempSync(join(folder, "profile-")),
    timeoutMillis: 600_000
  })
  return JSON.parse(result) as { readonly logits: ReadonlyArray<number>; readonly error?: string }
}

const exported = Effect.fn(function* ({ architecture, size }: FullSize) {
  const model = yield* exportedModel({ architecture, height: size, width: size, numClasses: 1000 })
  const place = mkdtempSync(join(folder, "export-"))
  const { files } = yield* exportedFiles(model, formats)
  yield* writeFiles(place, files)
  const { images, logits } = yield* referenceOf(model)
  writeFileSync(join(place, "images.bin"), images)
  writeFileSync(join(place, "reference.json"), JSON.stringify([...logits]))
  return { model, place, logits }
})

describe(`exports of full size${native.skipped}${onnxRuntime.skipped}${noPython}`, () => {
  it.effect.each(networks)(
    "$name",
    (network) =>
      Effect.gen(function* () {
        const { place, model } = yield* exported(network)
        const places = { folder: place, projectDir: onnxRuntime.projectDir }
        const { formats: compared } = yield* compareExport(model, formats, places)
        for (const one of compared) {
          console.log(network.name, one.format, one.compared ? one.relativeDifference : one.reason)
        }
        for (const python of pythons) {
          const args = [join(import.meta.dirname, "exports.py"), place, network.torchvision ?? "-"]
          const found = JSON.parse(execFileSync(python, args, { encoding: "utf8" })) as Record<
            string,
            { readonly version: string; readonly relativeDifference: number }
          >
          for (const [name, { relativeDifference, version }] of Object.entries(found)) {
            console.log(network.name, name, version, relativeDifference)
            assert.isAtMost(relativeDifference, relativeTolerance, name)
          }
        }
      }).pipe(Effect.provide(native.layer)),
    900_000
  )
})

describe(`a browser runs an export${noBrowser}`, () => {
  const small: FullSize = {
    name: "ResNet-18 of width 16",
    architecture: { family: "resnet", depth: 18, width: 16 },
    size: 96
  }

  const inOne = it.effect.skipIf(browser === undefined)

  for (const backend of ["wasm", "webgl", "cpu"]) {
    inOne(
      `on ${backend}`,
      () =>
        Effect.gen(function* () {
          const { logits, model, place } = yield* exported(small)
          const found = yield* Effect.promise(() => inBrowser(backend, place, model))
          assert.isUndefined(found.error)
          const difference = differenceOf(logits, found.logits, 1000)
          console.log(backend, difference.relativeDifference)
          assert.isAtMost(difference.relativeDifference, relativeTolerance)
        }).pipe(Effect.provide(native.layer)),
      900_000
    )
  }
})
