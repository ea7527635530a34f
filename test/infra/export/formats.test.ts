/**
 * Exported files of small networks, each read back by the runtime that it is for, in a process of its own,
 * and compared with the model, logit for logit.
 */
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { compareExport } from "../../../infra/cli/exportComparison.ts"
import { exportedFiles } from "../../../infra/cli/exportedFiles.ts"
import { writeFiles } from "../../../infra/cli/exportFolder.ts"
import { type Format, formats } from "../../../infra/cli/ModelCard.ts"
import { exportedModel, type ModelOptions } from "../../support/exportedModels.ts"
import { onnxRuntime } from "../../support/onnxRuntime.ts"
import { native, portable } from "../../support/runtimes.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"

const folder = temporaryFolder()
const runtime = native.skipped === "" ? native : portable

/** What this machine cannot read back is said in the tests' names. */
const absent: ReadonlyArray<Format> = [
  ...(native.skipped === "" ? [] : (["saved-model"] as const)),
  ...(onnxRuntime.skipped === "" ? [] : (["onnx"] as const))
]

interface Case {
  readonly name: string
  readonly options: ModelOptions
  /** All, if not said. */
  readonly formats?: ReadonlyArray<Format>
}

const networks: ReadonlyArray<Case> = [
  {
    name: "ResNet-8 with shortcuts A, of grey images",
    options: {
      architecture: { family: "resnet-cifar", depth: 8, width: 8, shortcut: "A" },
      height: 15,
      width: 16,
      channels: 1
    }
  },
  {
    name: "ResNet-18",
    options: { architecture: { family: "resnet", depth: 18, width: 8 }, height: 64, width: 48 }
  },
  // Its average pools hang over the border.
  {
    name: "ResNet-50-D, on odd sizes",
    options: {
      architecture: { family: "resnet", depth: 50, width: 4, variant: "D" },
      height: 45,
      width: 61
    }
  },
  {
    name: "ResNet-50-A",
    options: {
      architecture: { family: "resnet", depth: 50, width: 4, variant: "A" },
      height: 32,
      width: 32
    },
    formats: ["tfjs"]
  },
  {
    name: "MobileNet-V1 with ReLU6",
    options: {
      architecture: { family: "mobilenet-v1", width: 0.25, activation: "relu6" },
      height: 45,
      width: 64
    }
  },
  // Dilations in place of strides.
  {
    name: "ResNet-18 of output stride 8",
    options: {
      architecture: { family: "resnet", depth: 18, width: 4, outputStride: 8 },
      height: 33,
      width: 48
    }
  },
  {
    name: "MobileNet-V1 of output stride 16",
    options: {
      architecture: { family: "mobilenet-v1", width: 0.25, activation: "relu", outputStride: 16 },
      height: 45,
      width: 32
    }
  },
  {
    name: "Inception-V3",
    options: {
      architecture: { family: "inception-v3", width: 0.25, auxiliary: false, dropout: 0.2 },
      height: 80,
      width: 79
    }
  }
]

const written = Effect.fn(function* (options: ModelOptions, wanted: ReadonlyArray<Format>) {
  const model = yield* exportedModel(options)
  const place = mkdtempSync(join(folder, "export-"))
  yield* writeFiles(place, (yield* exportedFiles(model, wanted)).files)
  return { model, places: { folder: place, projectDir: onnxRuntime.projectDir } }
})

describe(`exports are the model${native.skipped}${onnxRuntime.skipped}`, () => {
  it.effect.each(networks)(
    "$name",
    ({ formats: wanted = formats, options }) =>
      Effect.gen(function* () {
        const { model, places } = yield* written(options, wanted)
        const comparison = yield* compareExport(model, wanted, places)
        assert.deepStrictEqual(
          comparison.formats.map(({ compared, format }) => [format, compared]),
          wanted.map((format) => [format, !absent.includes(format)])
        )
        for (const one of comparison.formats) {
          if (one.compared) assert.isBelow(one.relativeDifference, 1e-5, one.format)
          if (one.compared) assert.strictEqual(one.sameClass, 16, one.format)
        }
      }).pipe(Effect.provide(runtime.layer)),
    120_000
  )

  const small: ModelOptions = {
    architecture: { family: "resnet-cifar", depth: 8, width: 4, shortcut: "B" },
    height: 8,
    width: 8
  }

  it.effect("one whose weights are others is found out", () =>
    Effect.gen(function* () {
      const { model, places } = yield* written(small, ["tfjs"])
      const file = join(places.folder, "tfjs", "group1-shard1of1.bin")
      const bytes = readFileSync(file)
      // The first weight that is not of the normalisation of pixels: three factors, three summands.
      bytes.writeFloatLE(bytes.readFloatLE(24) + 1, 24)
      writeFileSync(file, bytes)
      const error = yield* Effect.flip(compareExport(model, ["tfjs"], places))
      assert.strictEqual(error._tag, "ExportDiffers")
      assert.match(
        error.message,
        /^The tfjs export computes other logits under TensorFlow\.js .* Nothing was/
      )
    }).pipe(Effect.provide(portable.layer))
  )

  it.effect("one that cannot be read back is told in the words of its runtime", () =>
    Effect.gen(function* () {
      const { model, places } = yield* written(small, ["tfjs"])
      writeFileSync(join(places.folder, "tfjs", "model.json"), "{")
      const error = yield* Effect.flip(compareExport(model, ["tfjs"], places))
      assert.strictEqual(error._tag, "ExportUnreadable")
      assert.match(error.message, /^The tfjs export cannot be read back: .*JSON.*\nNothing was written/)
    }).pipe(Effect.provide(portable.layer))
  )
})
