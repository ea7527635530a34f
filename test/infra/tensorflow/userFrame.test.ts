/** Stacks as Node writes them: from sources, from our build, through source maps. */
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { describe, expect, it } from "vitest"
import { userFrameOf } from "../../../infra/tensorflow/userFrame.ts"

const root = join(import.meta.dirname, "../../..")

const frameOf = (...calls: ReadonlyArray<string>) => {
  const error = new Error("planted")
  error.stack = ["Error: planted", ...calls.map((call) => `    at ${call}`)].join("\n")
  return userFrameOf(error)
}

const core = "/p/node_modules/@tensorflow/tfjs-core/dist/tf-core.node.js"

describe("the user's frame", () => {
  it("is the nearest one beyond tfjs and the runtime, built or not", () => {
    const url = pathToFileURL(root)
    expect(
      frameOf(
        `GraphBackend.readSync (${url}/dist/NativeRuntime-ABC.js:10:2)`,
        `Engine.readSync (${core}:5239:29)`,
        `Tensor.dataSync (${core}:3882:32)`,
        `reading (file:///project/mine/model.ts:41:7)`,
        `step (/project/mine/stage.ts:9:1)`
      )
    ).toEqual({ operation: "dataSync", place: "/project/mine/model.ts:41" })
  })

  it("is told relative to the working directory, and skips fused operations of ours", () => {
    expect(
      frameOf(
        `kernelFunc (${root}/infra/tensorflow/kernels/all.ts:33:2)`,
        `Object.runKernel (${core}:1:1)`,
        `batchNormTraining (${root}/lib/tensor/batch-norm.ts:60:2)`,
        `batchNorm (${root}/lib/nn/batch-norm.ts:41:3)`
      )
    ).toEqual({ operation: "runKernel", place: "lib/nn/batch-norm.ts:41" })
  })

  it("names the operation that was asked for, not those it is made of", () => {
    const made = [`sub_ (${core}:1:1)`, `Object.sub__op (${core}:2:1)`, `softmax_ (${core}:3:1)`]
    expect(frameOf(...made, `Proxy.softmax__op (${core}:4:1)`, "/project/a.ts:3:1")).toEqual({
      operation: "softmax",
      place: "/project/a.ts:3"
    })
    const chained = `Tensor.getGlobalTensorClass.matMul [as matMul] (${core}:5:1)`
    expect(frameOf(`Engine.runKernel (${core}:1:1)`, chained, "/project/a.ts:3:1").operation).toBe("matMul")
  })

  it("knows tfjs by the names of its source maps, and passes over Effect and Node", () => {
    expect(
      frameOf(
        "Module.relu__op (/project/tfjs-core/src/ops/operation.ts:51:28)",
        "/project/node_modules/effect/src/internal/effect.ts:694:41",
        "process.processTicksAndRejections (node:internal/process/task_queues:104:5)",
        "async main (/project/a.mts:8:1)"
      )
    ).toEqual({ operation: "relu", place: "/project/a.mts:8" })
  })

  it("is nowhere where no frame is the user's, or no error was thrown", () => {
    expect(frameOf(`Engine.tidy (${core}:1:1)`)).toEqual({ operation: "tidy", place: "" })
    expect(userFrameOf("thrown")).toEqual({ operation: undefined, place: "" })
  })
})
