/**
 * tfjs-node's eager backend as a tensor runtime, for comparison: its npm package fetches a library from where
 * it is often not to be had, but its binding compiles against ours.
 */
import { execFileSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs"
import Module, { createRequire } from "node:module"
import { join } from "node:path"
import process from "node:process"
import util from "node:util"
import { Effect, Layer } from "effect"
import { registerGradients } from "../../infra/tensorflow/gradients/all.ts"
import { registerBatchNorm } from "../../infra/tensorflow/portable/kernels.ts"
import { startWasm } from "../../infra/tensorflow/portable/wasm.ts"
import { unpackWheel } from "../../infra/tensorflow/wheel.ts"
import { cacheFolder } from "../../infra/userFolders.ts"
import { type Fetches, type JitOptions, type RunFeeds, TensorRuntime } from "../../lib/tensor/Runtime.ts"
import { tf } from "../../lib/tensor/tf.ts"
import { library, type NamedRuntime } from "./runtimes.ts"

const VERSION = "4.22.0"
const folder = join(cacheFolder(process.env), "tools", `tfjs-node-eager-${VERSION}`)

const HEADERS = [
  "download",
  "--quiet",
  "--no-deps",
  "--no-cache-dir",
  "--only-binary=:all:",
  "--python-version=3.12",
  "--implementation=cp",
  "--platform=manylinux_2_27_x86_64",
  "tensorflow-cpu==2.21.0"
]

/** Fetches sources by npm and headers by pip (274 MB), and compiles: needs both and g++. A minute, once. */
const install = async (directory: string): Promise<void> => {
  mkdirSync(join(folder, ".."), { recursive: true })
  const staging = mkdtempSync(`${folder}-`)
  const run = (command: string, ...given: ReadonlyArray<string>) =>
    execFileSync(command, given, { cwd: staging, stdio: ["ignore", "ignore", "inherit"] })
  for (const name of [`@tensorflow/tfjs-node@${VERSION}`, "node-api-headers@1.9.0"])
    run("npm", "pack", "--silent", name)
  for (const [archive, target] of [
    [/^tensorflow-tfjs-node.*\.tgz$/, "tfjs-node"],
    [/^node-api-headers.*\.tgz$/, "node-api"]
  ] as const) {
    mkdirSync(join(staging, target))
    run("tar", "xzf", readdirSync(staging).find((name) => archive.test(name))!, "-C", target, "--strip=1")
  }
  run("python3", "-m", "pip", ...HEADERS, "--dest", staging)
  await unpackWheel({
    archive: join(staging, readdirSync(staging).find((name) => name.endsWith(".whl"))!),
    wanted: /^tensorflow\/include\/(tensorflow\/c|tensorflow\/core\/platform|tsl|xla\/tsl)\/.*\.h$/,
    prefix: "tensorflow/",
    folder: staging,
    onProgress: () => undefined,
    signal: new AbortController().signal
  })
  const sources = ["tfjs_backend.cc", "tfjs_binding.cc"].map((name) => `tfjs-node/binding/${name}`)
  const libraries = ["libtensorflow_cc.so.2", "libtensorflow_framework.so.2"].map((name) =>
    join(directory, name)
  )
  const options = ["-O1", "-std=c++17", "-shared", "-fPIC", "-w", "-Iinclude", "-Inode-api/include"]
  run("g++", ...options, ...sources, "-o", "tfjs_binding.node", ...libraries, `-Wl,-rpath,${directory}`)
  for (const name of readdirSync(staging)) {
    if (name !== "tfjs-node" && name !== "tfjs_binding.node") rmSync(join(staging, name), { recursive: true })
  }
  renameSync(staging, folder)
}

const installed = async (): Promise<string> => {
  if (library.kind !== "native") return library.reason
  if (existsSync(folder)) return ""
  return install(library.directory).then(
    () => "",
    (cause: unknown) => `tfjs-node's binding could not be built: ${cause}`
  )
}

/** Registers the backend `tensorflow` with the one tfjs of this process. */
const start = (): void => {
  // Gone since Node 23.
  Object.assign(util, { isNullOrUndefined: (value: unknown) => value === null || value === undefined })
  // The package lies in the cache and has to find the tfjs of these tests.
  process.env.NODE_PATH = join(import.meta.dirname, "../../node_modules")
  ;(Module as unknown as { _initPaths: () => void })._initPaths()
  const load = createRequire(join(folder, "tfjs-node", "package.json"))
  // Only for summaries; wants a package more.
  const messages = load.resolve("./dist/proto/api_pb")
  load.cache[messages] = Object.assign(new Module(messages), { loaded: true, exports: {} })
  load("./dist/register_all_kernels")
  const { NodeJSKernelBackend } = load("./dist/nodejs_kernel_backend") as {
    NodeJSKernelBackend: new (binding: unknown, name: string) => tf.KernelBackend
  }
  const binding: unknown = load("../tfjs_binding.node")
  tf.registerBackend("tensorflow", () => new NodeJSKernelBackend(binding, "@tensorflow/tfjs-node"), 0)
  void tf.setBackend("tensorflow")
  registerBatchNorm("tensorflow")
  registerGradients()
}

type Step = (inputs: { readonly [name: string]: tf.Tensor }) => { readonly [name: string]: tf.Tensor }

const runEagerly = (step: Step, { inputs }: JitOptions<string>, feeds: RunFeeds<string>): Fetches<string> => {
  void tf.setBackend("tensorflow")
  return tf.tidy(() => {
    const fed = Object.entries(inputs).map(([name, { dtype, shape }]) => [
      name,
      tf.tensor(feeds[name] as Float32Array, [...shape], dtype)
    ])
    const outputs = Object.entries(step(Object.fromEntries(fed)))
    return Object.fromEntries(outputs.map(([name, tensor]) => [name, tensor.dataSync()]))
  }) as never
}

let started = false

const layer: NamedRuntime["layer"] = Layer.effect(
  TensorRuntime,
  Effect.gen(function* () {
    yield* startWasm
    if (!started) start()
    started = true
    return TensorRuntime.of({
      numerics: { backend: "tfjs-node", library: `tfjs-node ${VERSION}`, threads: 2 },
      precisions: ["float32"],
      jit: (step, options) =>
        Effect.succeed({
          run: (feeds) => Effect.sync(() => runEagerly(step as never, options, feeds) as never),
          allocate: Effect.die("nothing is allocated")
        }),
      variable: () => Effect.die("nothing is trained"),
      read: () => Effect.succeed([]),
      counters: Effect.die("nothing is traced")
    })
  })
)

const reason = await installed()

export const tfjsNodeEager: NamedRuntime = {
  name: "tfjs-node eager",
  skipped: reason === "" ? "" : ` (skipped: ${reason})`,
  layer
}
