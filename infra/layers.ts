/**
 * The composition root: from settings to layers. The only place that chooses implementations.
 */
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Effect, Layer } from "effect"
import type { ImageCodec } from "../lib/data/ImageCodec.ts"
import type { SourceFiles } from "../lib/data/SourceFiles.ts"
import type { BlobStore } from "../lib/storage/BlobStore.ts"
import type { Hasher } from "../lib/storage/Digest.ts"
import { type LeaseOptions, leasesLayer } from "../lib/storage/leases.ts"
import type { ObjectStore, StoreError } from "../lib/storage/ObjectStore.ts"
import { type KeyUnavailable, Signer } from "../lib/storage/Signature.ts"
import type { TensorError } from "../lib/tensor/Runtime.ts"
import { TensorRuntime } from "../lib/tensor/Runtime.ts"
import type { Capabilities, CodeClosure } from "../lib/workflow/CodeClosure.ts"
import type { Executor } from "../lib/workflow/Executor.ts"
import type { ExternalInputs } from "../lib/workflow/ExternalInputs.ts"
import { FoldPolicy } from "../lib/workflow/Fold.ts"
import type { ManifestStore } from "../lib/workflow/ManifestStore.ts"
import type { Reporter } from "../lib/workflow/Reporter.ts"
import { type Runner, runnerLayer } from "../lib/workflow/Runner.ts"
import { stateSealsLayer } from "../lib/workflow/StateSeals.ts"
import { askedForPortable, capabilitiesLayer, libraryOptions, type RuntimeNotices } from "./capabilities.ts"
import { type BuiltSources, readBuiltSources } from "./code/builtSources.ts"
import { codeClosureLayer } from "./code/CodeClosure.ts"
import { packageRootOf } from "./code/packageRoot.ts"
import { childProcessExecutorLayer } from "./executors/ChildProcessExecutor.ts"
import { childEnvironment, numPoolThreads } from "./executors/childEnvironment.ts"
import { inProcessExecutorLayer } from "./executors/InProcessExecutor.ts"
import { indexedExternalInputsLayer } from "./files/IndexedExternalInputs.ts"
import { lateImageCodecLayer } from "./images/lateImageCodec.ts"
import { ownerLivenessLayer } from "./ownerLiveness.ts"
import { read, type SettingsValue } from "./settings.ts"
import { type Storage, storageLayer } from "./storageLayers.ts"
import type { StoreTraffic, TrafficMeter } from "./stores/TrafficMeter.ts"
import { strictExecutorLayer } from "./strict/StrictExecutor.ts"
import { locateCpuLibrary } from "./tensorflow/cpu-library.ts"
import {
  type LibraryMissing,
  locateLibrary,
  type NativeLibrary,
  type Portable
} from "./tensorflow/library.ts"

/** All that a stage's body may ask for besides its job's context. */
export type StageServices = BlobStore | Hasher | ImageCodec | ObjectStore | SourceFiles | TensorRuntime

/** What was compiled while planning; a job never waits for a compiler. */
const compiledKernels = ({ cacheDir, kernels }: SettingsValue): string | undefined => {
  if (kernels === "stock") return undefined
  const located = locateCpuLibrary({ cacheDirectory: cacheDir })
  return located.kind === "compiled" ? located.file : undefined
}

/** Both runtimes are loaded only when one is chosen: they bring all of tfjs. */
const runtimeOn = (
  library: NativeLibrary | Portable,
  settings: SettingsValue
): Effect.Effect<Layer.Layer<TensorRuntime, TensorError>> =>
  library.kind === "native"
    ? Effect.promise(async () => {
        const { layerNative } = await import("./tensorflow/NativeRuntime.ts")
        const { profilesInto } = await import("./tensorflow/profile/profiles-into.ts")
        const { cacheDir, profileDir, threads } = settings
        const profile = profileDir === undefined ? undefined : profilesInto(profileDir)
        const kernels = compiledKernels(settings)
        return layerNative({ library, kernels, threads, profile, cudaCache: join(cacheDir, "cuda") })
      })
    : Effect.promise(async () => (await import("./tensorflow/PortableRuntime.ts")).layerPortable)

/** What is there already, and never a download: that is settled while planning, before a job starts. */
export const tensorRuntimeLayer = (
  settings: SettingsValue
): Layer.Layer<TensorRuntime, TensorError | LibraryMissing> =>
  Layer.unwrap(
    Effect.flatMap(
      settings.backend === "portable"
        ? Effect.succeed(askedForPortable)
        : locateLibrary(libraryOptions(settings)),
      (library) => runtimeOn(library, settings)
    )
  )

/** Starts faster than the native runtime: for little work. */
export const portableRuntimeLayer: Layer.Layer<TensorRuntime, TensorError> = Layer.unwrap(
  Effect.promise(async () => (await import("./tensorflow/PortableRuntime.ts")).layerPortable)
)

/** Work that takes the portable runtime longer than the native one to start, in multiply-accumulates. */
const macsMin = 4e9

/** For `macs` in all: the one that is through with it sooner. */
export const predictionRuntimeLayer = (settings: SettingsValue, macs: number) =>
  macs < macsMin ? portableRuntimeLayer : tensorRuntimeLayer(settings)

export const imageCodecLayer: Layer.Layer<ImageCodec> = lateImageCodecLayer

const sourceFilesLayer = (
  settings: SettingsValue,
  note: (line: string) => void
): Layer.Layer<SourceFiles, never, Hasher> =>
  Layer.unwrap(
    Effect.promise(async () => {
      const { layer } = await import("./sources/VerifiedSourceFiles.ts")
      return layer({
        mirror: settings.mirrorDir,
        cacheFolder: join(settings.cacheDir, "sources"),
        inputs: indexOptions(settings),
        environment: settings.environment,
        note
      })
    })
  )

interface BodyServicesOptions {
  readonly settings: SettingsValue
  /** A job of the pool `cpu` need not load the tensor runtime. */
  readonly tensors: boolean
  readonly note: (line: string) => void
  readonly meter?: TrafficMeter
}

/** All that a body asks for beyond storage. */
const bodyServicesLayer = ({ note, settings, tensors }: BodyServicesOptions) =>
  Layer.mergeAll(
    imageCodecLayer,
    sourceFilesLayer(settings, note),
    tensors ? tensorRuntimeLayer(settings) : noTensorRuntime,
    Layer.succeed(FoldPolicy, { states: settings.keepStates })
  )

export const stageServicesLayer = (
  options: BodyServicesOptions
): Layer.Layer<StageServices | ManifestStore, StoreError | TensorError | LibraryMissing> =>
  Layer.provideMerge(
    bodyServicesLayer(options),
    storageLayer(options.settings, { ...options, asking: "job", tellAbsence: options.note })
  )

/** For tests: computes alike on every machine. */
export const testServicesLayer = ({ tensors }: Pick<BodyServicesOptions, "tensors">) =>
  Layer.unwrap(
    Effect.map(read, (settings) =>
      bodyServicesLayer({
        settings: { ...settings, backend: "portable" },
        tensors,
        note: () => undefined
      })
    )
  )

/** As `testServicesLayer` sees what lies outside; nothing is remembered of it. */
export const testExternalsLayer: Layer.Layer<ExternalInputs> = Layer.unwrap(
  Effect.map(Effect.orDie(read), ({ projectDir }) =>
    indexedExternalInputsLayer({ projectDir, folder: undefined })
  )
)

/** A job of the pool `cpu` that asks for tensors all the same is wrongly declared. */
const noTensorRuntime: Layer.Layer<TensorRuntime> = Layer.succeed(TensorRuntime, {
  numerics: { backend: "none", library: "none", threads: 0 },
  precisions: [],
  jit: () => Effect.die(new Error('a stage that computes with tensors must say `pool: "gpu"`')),
  variable: () => Effect.die(new Error('a stage that computes with tensors must say `pool: "gpu"`')),
  read: () => Effect.die(new Error('a stage that computes with tensors must say `pool: "gpu"`')),
  counters: Effect.die(new Error('a stage that computes with tensors must say `pool: "gpu"`'))
})

/** Parent and child stand in the same folder, so that they mean the same files. */
const indexOptions = ({ projectDir }: SettingsValue) => ({
  projectDir,
  folder: join(projectDir, ".distillery", "inputs")
})

export interface PlanningOptions {
  readonly settings: SettingsValue
  /** Where the module of a pipeline of the user's own lies: its stages are found from there. */
  readonly pipelineFile?: string | undefined
}

/** What the engine needs to plan, but to run nothing. */
export const planningLayer = (
  options: PlanningOptions
): Layer.Layer<Capabilities | CodeClosure | ExternalInputs | Storage, StoreError> =>
  planningWith(options.settings, codeLayer(options))

interface RunsToo {
  readonly notices?: RuntimeNotices
  readonly meter?: TrafficMeter | undefined
}

const planningWith = (
  settings: SettingsValue,
  code: ReturnType<typeof codeLayer>,
  { meter, notices }: RunsToo = {}
): Layer.Layer<Capabilities | CodeClosure | ExternalInputs | Storage, StoreError> =>
  Layer.mergeAll(
    capabilitiesLayer(settings, notices),
    code,
    indexedExternalInputsLayer(indexOptions(settings))
  ).pipe(Layer.provideMerge(storageLayer(settings, { meter, tellAbsence: notices?.storeAbsence })))

/** The implementations whose code is part of a result's identity. */
const serviceFiles = {
  ImageCodec: ["infra/images/SharpImageCodec.ts"],
  TensorRuntime: ["infra/tensorflow/NativeRuntime.ts", "infra/tensorflow/PortableRuntime.ts"]
}

/** Kernels in C: compiled where they run, so hashed as they lie. */
const serviceFolders = { TensorRuntime: "infra/tensorflow/cpu" }

let readSources: BuiltSources | undefined

/** Beside this module in `dist/`; sources that run as they are need no check. */
const builtSources = (): BuiltSources | undefined => {
  if (import.meta.url.endsWith(".js")) {
    readSources ??= readBuiltSources(fileURLToPath(new URL("./sources.json", import.meta.url)))
  }
  return readSources
}

const codeLayer = ({ pipelineFile, settings }: PlanningOptions, stagesFromBuild = false) =>
  Layer.suspend(() =>
    codeClosureLayer({
      packageRoot: packageRootOf(import.meta.url),
      codeFolder: join(settings.projectDir, ".distillery", "code"),
      serviceFiles,
      serviceFolders,
      pipelineFile,
      builtSources,
      stagesFromBuild
    })
  )

export interface EngineOptions extends PlanningOptions {
  /** Children that serve several jobs of the pool `cpu`, a child for each job, or this process. */
  readonly executor: "warm" | "fresh" | "in-process"
  /** Whether results that depend on undeclared reads are refused; not in this process. */
  readonly strict: boolean
  /** The built entry of the child process. */
  readonly childFile: string
  readonly notices: RuntimeNotices
  /** Counts what the run moves to and from the store, its jobs' part too. */
  readonly meter?: TrafficMeter
}

const executorLayer = (
  { childFile, executor, meter, settings, strict }: EngineOptions,
  code: ReturnType<typeof codeLayer>
) => {
  if (executor === "in-process") {
    const services = { settings, tensors: true, note: () => undefined, ...(meter !== undefined && { meter }) }
    return Layer.provide(inProcessExecutorLayer(stageServicesLayer(services)), stateSealsLayer)
  }
  const children = childProcessExecutorLayer({
    childFile,
    alwaysFresh: executor === "fresh",
    environment: childEnvironment(settings.environment, numPoolThreads(settings.threads)),
    onTraffic: (traffic: StoreTraffic) => meter?.add(traffic)
  })
  return (strict ? strictExecutorLayer(children) : children).pipe(Layer.provide([code, stateSealsLayer]))
}

/** What cannot be signed cannot be published: that is told before a job starts. */
const signerIsReady = Layer.effectDiscard(Effect.flatMap(Signer, ({ ready }) => ready))

const leaseOptions = ({ leaseSeconds, signing }: SettingsValue): LeaseOptions => ({
  leaseMillis: leaseSeconds * 1000,
  scope: signing.scope
})

/** Everything that `run` needs but the reporter, which the terminal decides. */
export const engineLayer = (
  options: EngineOptions
): Layer.Layer<
  Runner | Executor | Capabilities | CodeClosure | ExternalInputs | Storage,
  StoreError | KeyUnavailable,
  Reporter
> => {
  // One of them for both: what is executed is what the plan has hashed.
  const code = codeLayer(options, options.executor === "in-process")
  return runnerLayer.pipe(
    Layer.provide(leasesLayer(leaseOptions(options.settings))),
    Layer.provide(ownerLivenessLayer),
    Layer.merge(signerIsReady),
    Layer.provideMerge(executorLayer(options, code)),
    Layer.provideMerge(planningWith(options.settings, code, options))
  )
}
