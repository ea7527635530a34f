/**
 * Runs an ONNX file by ONNX Runtime, the package `onnxruntime-node`, where the project (or this package) has
 * it: too large to come with every installation.
 */
import { createRequire } from "node:module"
import { join } from "node:path"
import { pathToFileURL } from "node:url"

/** As much of `onnxruntime-node` as is used here. */
interface OnnxRuntime {
  readonly InferenceSession: {
    readonly create: (file: string) => Promise<{
      readonly run: (feeds: object) => Promise<{ readonly logits: { readonly data: Float32Array } }>
    }>
  }
  readonly Tensor: new (type: "float32", values: Float32Array, shape: ReadonlyArray<number>) => object
  readonly env: { readonly versions: { readonly node?: string; readonly common: string } }
}

const packageName = "onnxruntime-node"

/** The file to import; `undefined` where the package is not installed. */
const installed = (projectDir: string): string | undefined => {
  for (const from of [pathToFileURL(join(projectDir, "package.json")).href, import.meta.url]) {
    try {
      return createRequire(from).resolve(packageName)
    } catch {
      // Not from there.
    }
  }
  return undefined
}

export interface OnnxRun {
  readonly version: string
  readonly logits: Float32Array
}

/** `undefined` where ONNX Runtime is not installed. */
export const runOnnx = async (
  file: string,
  projectDir: string,
  shape: ReadonlyArray<number>,
  values: Float32Array
): Promise<OnnxRun | undefined> => {
  const entry = installed(projectDir)
  if (entry === undefined) return undefined
  const loaded = (await import(pathToFileURL(entry).href)) as { readonly default: OnnxRuntime }
  const { env, InferenceSession, Tensor } = loaded.default
  const session = await InferenceSession.create(file)
  const { logits } = await session.run({ images: new Tensor("float32", values, shape) })
  return { version: env.versions.node ?? env.versions.common, logits: logits.data }
}
