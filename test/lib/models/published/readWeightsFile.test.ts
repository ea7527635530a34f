import { readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { readWeightsFile } from "../../../../lib/models/published/readWeightsFile.ts"
import { floatsOf } from "../../../../lib/models/StoredTensor.ts"
import { encodeSafetensors } from "../../../../lib/models/safetensors.ts"
import { readGolden } from "../../../support/golden.ts"

interface Described {
  /** PyTorch's word. */
  readonly dtype: string
  readonly shape: ReadonlyArray<number>
  readonly values: ReadonlyArray<number | string>
}

const golden = readGolden<Readonly<Record<string, Readonly<Record<string, Described>>>>>("published-weights")
const file = (name: string) =>
  readFileSync(join(import.meta.dirname, "../../../golden/published-weights", name))

const dtypes: Readonly<Record<string, string>> = {
  ...{ float64: "F64", float32: "F32", float16: "F16", bfloat16: "BF16", int64: "I64", int32: "I32" },
  ...{ int16: "I16", int8: "I8", uint8: "U8", bool: "BOOL" }
}

describe("files as PyTorch and safetensors write them", () => {
  it.each(Object.keys(golden))("%s holds what was saved", (name) =>
    Effect.gen(function* () {
      const { tensors } = yield* readWeightsFile(file(name))
      assert.sameMembers([...tensors.keys()], Object.keys(golden[name]!))
      for (const [tensor, { dtype, shape, values }] of Object.entries(golden[name]!)) {
        const found = tensors.get(tensor)!
        assert.strictEqual(found.dtype, dtypes[dtype], tensor)
        assert.deepStrictEqual(found.shape, shape, tensor)
        assert.deepStrictEqual(floatsOf(found), Float32Array.from(values, Number), tensor)
      }
    }).pipe(Effect.runPromise)
  )

  it.effect("are safetensors whatever byte their header's length begins with, also a pickle's", () =>
    Effect.gen(function* () {
      const headers = Array.from({ length: 80 }, (_, length) =>
        encodeSafetensors({
          arrays: { [`x${"x".repeat(length)}`]: { shape: [1], values: Float32Array.of(2) } },
          metadata: {}
        })
      )
      const likePickle = headers.find((bytes) => bytes[0] === 0x80)
      assert.isDefined(likePickle)
      assert.strictEqual((yield* readWeightsFile(likePickle!)).format, "safetensors")
    })
  )

  it.effect("are read without a copy", () =>
    Effect.gen(function* () {
      for (const name of ["zip.pth", "legacy.pth", "dtypes.safetensors"]) {
        const bytes = Uint8Array.from(file(name))
        const { tensors } = yield* readWeightsFile(bytes)
        for (const { storage } of tensors.values()) assert.strictEqual(storage.buffer, bytes.buffer)
      }
    })
  )

  it.effect("say what they hold besides weights", () =>
    Effect.gen(function* () {
      const besides = ["epoch", "best_prec1", "arch"]
      for (const name of ["checkpoint.pth", "checkpoint.legacy.pth"]) {
        assert.deepStrictEqual((yield* readWeightsFile(file(name))).besides, besides)
      }
      assert.strictEqual((yield* readWeightsFile(file("zip.pth"), {})).format, "torch-zip")
    })
  )

  it.effect("hold weights under a key that is named", () =>
    Effect.gen(function* () {
      const { tensors } = yield* readWeightsFile(file("checkpoint.pth"), { key: "state_dict" })
      assert.isTrue(tensors.has("fc.weight"))
      const error = yield* Effect.flip(readWeightsFile(file("checkpoint.pth"), { key: "ema" }))
      assert.include(
        error.message,
        'no tensors under "ema". Name one of the keys under which there are some: '
      )
    })
  )
})

const refused = [
  ["attack.pth", "ForbiddenGlobal", /"posix.system"/],
  ["attack.legacy.pth", "ForbiddenGlobal", /"posix.system"/],
  ["whole-model.pth", "ForbiddenGlobal", /"torch.nn.modules.linear.Linear".*state_dict/],
  ["torchscript.pt", "WeightsFileInvalid", /TorchScript/]
] as const

describe("files that hold more than weights", () => {
  for (const [name, tag, message] of refused) {
    it.effect(`are refused: ${name}`, () =>
      Effect.map(Effect.flip(readWeightsFile(file(name))), (error) => {
        assert.strictEqual(error._tag, tag)
        assert.match(error.message, message)
      })
    )
  }
})

const text = (content: string) => new TextEncoder().encode(content)

const foreign = [
  [text(""), /it is empty/],
  [text("version https://git-lfs.github.com/spec/v1\noid"), /pointer of Git LFS.*git lfs pull/],
  [text("<!DOCTYPE html>"), /web page/],
  [text("nonsense, and more of it"), /neither safetensors nor/],
  [Uint8Array.of(0x1f, 0x8b, 8, 0), /gzip/]
] as const

describe("other files", () => {
  it.effect("are refused with what they are", () =>
    Effect.gen(function* () {
      for (const [bytes, message] of foreign) {
        assert.match((yield* Effect.flip(readWeightsFile(bytes))).message, message)
      }
    })
  )
})

describe("a file that was cut off", () => {
  it.effect.each(["zip.pth", "legacy.pth", "dtypes.safetensors", "deflated.pth"])(
    "is refused wherever that was: %s",
    (name) =>
      Effect.gen(function* () {
        const bytes = file(name)
        for (let length = 0; length < bytes.length; length += length < 200 ? 1 : 7) {
          const error = yield* Effect.flip(readWeightsFile(bytes.subarray(0, length)))
          assert.strictEqual(error._tag, "WeightsFileInvalid")
        }
      })
  )
})
