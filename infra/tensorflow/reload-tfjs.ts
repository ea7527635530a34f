/** Runs a graph model by plain TensorFlow.js: its own converter and WebAssembly backend, nothing of ours. */
import { readFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { dirname, join, sep } from "node:path"
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm"
import { tf } from "../../lib/tensor/tf.ts"

export interface GraphModelRun {
  readonly version: string
  readonly logits: Float32Array
}

/** Images in one step: few enough for WebAssembly's memory. */
const BATCH_SIZE = 4

/** `shape` and `values` are those of all images; `file` is the `model.json`. */
export const runGraphModel = async (
  file: string,
  shape: ReadonlyArray<number>,
  values: Float32Array
): Promise<GraphModelRun> => {
  await startPlainWasm()
  const model = await tf.loadGraphModel({ load: () => artifactsIn(file) })
  const [count = 0, ...rest] = shape
  const length = values.length / count
  const logits: Array<number> = []
  for (let start = 0; start < count; start += BATCH_SIZE) {
    const size = Math.min(BATCH_SIZE, count - start)
    const images = tf.tensor(values.subarray(start * length, (start + size) * length), [size, ...rest])
    const output = model.execute({ images }, "logits") as tf.Tensor
    logits.push(...(await output.data()))
    tf.dispose([images, output])
  }
  model.dispose()
  return { version: tf.version_core, logits: Float32Array.from(logits) }
}

const startPlainWasm = async (): Promise<void> => {
  const entry = createRequire(import.meta.url).resolve("@tensorflow/tfjs-backend-wasm")
  setWasmPaths(`${dirname(entry)}${sep}`)
  if (!(await tf.setBackend("wasm"))) throw new Error("TensorFlow.js could not start WebAssembly")
}

interface ModelJson {
  readonly modelTopology: object
  readonly signature: object
  readonly weightsManifest: ReadonlyArray<{
    readonly paths: ReadonlyArray<string>
    readonly weights: Array<tf.io.WeightsManifestEntry>
  }>
}

/** What tfjs's loader by HTTP makes of the same files. */
const artifactsIn = async (file: string): Promise<tf.io.ModelArtifacts> => {
  const { modelTopology, signature, weightsManifest } = JSON.parse(await readFile(file, "utf8")) as ModelJson
  const paths = weightsManifest.flatMap((group) => group.paths)
  const shards = await Promise.all(paths.map((path) => readFile(join(dirname(file), path))))
  const joined = Buffer.concat(shards)
  return {
    format: "graph-model",
    modelTopology,
    signature: signature as NonNullable<tf.io.ModelArtifacts["signature"]>,
    weightSpecs: weightsManifest.flatMap((group) => group.weights),
    weightData: joined.buffer.slice(joined.byteOffset, joined.byteOffset + joined.byteLength) as ArrayBuffer
  }
}
