/**
 * Settings: where and how to run, read from the environment here and nowhere else. They never move a job key;
 * what changes results is a param.
 */
import { availableParallelism } from "node:os"
import { join, resolve } from "node:path"
import { Config, ConfigProvider, Effect, Option, Schema } from "effect"
import { mainScope, Scope } from "../lib/storage/Signature.ts"
import { type GitHubEvent, scopeOnGitHub } from "./signing/githubScope.ts"
import type { SigningOptions } from "./signing/signing.ts"
import { trustedKeyFrom } from "./signing/trustedKeys.ts"
import { sizeForm, sizeFrom } from "./stores/cacheSize.ts"
import {
  addressings,
  encryptionKinds,
  placeFrom,
  placeProblem,
  type S3Addressing,
  type S3Encryption,
  type StorePlace
} from "./stores/storePlace.ts"
import { cacheFolder, userFolder } from "./userFolders.ts"

export interface SettingsValue {
  /** Where the user stands: `.distillery/` with reports and built code lies here. */
  readonly projectDir: string
  /** Where artifacts lie: a folder, or a prefix of a bucket. */
  readonly store: StorePlace
  /** What stores in S3 that a command names by their address are asked for; `store` says it itself. */
  readonly encryption: S3Encryption | undefined
  /** The same. */
  readonly addressing: S3Addressing
  /** Shared by all projects of the user: native library, fetched files. */
  readonly cacheDir: string
  /** Where blobs of a store on S3 are kept on this machine; `undefined` where none are. */
  readonly blobCache: { readonly folder: string; readonly sizeBytesMax: number } | undefined
  /** Who signs what is made here, and whose results count. */
  readonly signing: SigningOptions
  /** Folder that is asked first for data files. */
  readonly mirrorDir: string | undefined
  readonly backend: "auto" | "native" | "portable"
  /** Folder with TensorFlow's libraries, where the user brings their own. */
  readonly tensorflowDir: string | undefined
  /** Whether the native runtime may use kernels of ours, compiled on this machine, or TensorFlow's alone. */
  readonly kernels: "own" | "stock"
  /** `CUDA_VISIBLE_DEVICES`, as CUDA itself reads it. */
  readonly visibleGpus: string | undefined
  /** Threads of the native runtime. */
  readonly threads: number
  /** Folder that gets a profile of each compiled step. */
  readonly profileDir: string | undefined
  /** Jobs of the pool `cpu` that run at once. */
  readonly concurrency: number
  /** The same of the pool `gpu`. */
  readonly gpuConcurrency: number
  /** How long a run may give no sign of life before another takes its work over. */
  readonly leaseSeconds: number
  /** How long a run waits for a store that is away, before its jobs fail. */
  readonly storePatienceSeconds: number
  /** States that a fold of a job leaves in the store: its last two, and fork points. */
  readonly keepStates: number
  /** What child processes may be given a part of. */
  readonly environment: { readonly [name: string]: string | undefined }
}

export class SettingsInvalid extends Schema.TaggedError<SettingsInvalid>()("SettingsInvalid", {
  message: Schema.String
}) {}

const directory = (name: string): Config.Config<Option.Option<string>> =>
  Config.String(name).pipe(
    Config.option,
    Config.map((value) =>
      Option.map(
        Option.filter(value, (text) => text !== ""),
        (path) => resolve(path)
      )
    )
  )

const text = (name: string): Config.Config<string | undefined> =>
  Config.String(name).pipe(Config.option, Config.map(Option.getOrUndefined))

const wordsIn = (text: string): ReadonlyArray<string> =>
  text.split(",").flatMap((word) => (word.trim() === "" ? [] : [word.trim()]))

/** A text of which `problem` says in words what is wrong, or `true`. */
const checked = (name: string, problem: (text: string) => string | true): Config.Config<string> =>
  Config.schema(Schema.String.check(Schema.makeFilter(problem)), name)

/** Separated by commas; empty where the variable is not set. `parse` gives `undefined` for what is none. */
const listOf = <A>(parse: (word: string) => A | undefined, what: string, name: string) => {
  const problem = (text: string) => {
    const wrong = wordsIn(text).find((word) => parse(word) === undefined)
    return wrong === undefined ? true : `"${wrong}" is no ${what}`
  }
  return checked(name, problem).pipe(
    Config.withDefault(""),
    Config.map((text) => wordsIn(text).flatMap((word) => parse(word) ?? []))
  )
}

const isScope = Schema.is(Scope)
const scopeFrom = (word: string): Scope | undefined => (isScope(word) ? word : undefined)

const variable = (name: string): Config.Config<string> => Config.String(name).pipe(Config.withDefault(""))

/** A whole number from 1 on. */
const count = (name: string, fallback: number, maximum = 1024): Config.Config<number> =>
  checked(name, (text) => {
    const number = Number(text)
    return Number.isInteger(number) && number >= 1 && number <= maximum
      ? true
      : `"${text}" is no whole number from 1 to ${maximum}`
  }).pipe(Config.map(Number), Config.withDefault(fallback))

/** One of the words; the first where the variable is not set. */
const wordOf = <Word extends string>(
  name: string,
  ...words: readonly [Word, ...ReadonlyArray<Word>]
): Config.Config<Word> => {
  const known = (text: string) => words.find((word) => word === text)
  const problem = (text: string) => known(text) !== undefined || `"${text}" is none of ${words.join(", ")}`
  return checked(name, problem).pipe(
    Config.map((text) => known(text) ?? words[0]),
    Config.withDefault(words[0])
  )
}

const storePlace = checked("DISTILLERY_STORE", (text) => placeProblem(text) ?? true).pipe(
  Config.option,
  Config.map(Option.map(placeFrom))
)

const cacheSize = checked(
  "DISTILLERY_CACHE_SIZE",
  (text) => sizeFrom(text) !== undefined || `"${text}" is not ${sizeForm}`
).pipe(
  Config.withDefault("20GB"),
  Config.map((text) => sizeFrom(text)!)
)

const encryptionOf = (text: string) => encryptionKinds.find((kind) => kind === text)

const encryption = Config.all({
  kind: checked(
    "DISTILLERY_S3_SSE",
    (text) =>
      text === "" || encryptionOf(text) !== undefined || `"${text}" is none of ${encryptionKinds.join(", ")}`
  ).pipe(Config.withDefault(""), Config.map(encryptionOf)),
  kmsKeyId: text("DISTILLERY_S3_SSE_KMS_KEY_ID")
})

const settings = Config.all({
  store: storePlace,
  encryption,
  addressing: wordOf("DISTILLERY_S3_ADDRESSING", ...addressings),
  blobCache: Config.all({ folder: text("DISTILLERY_CACHE_DIR"), sizeBytesMax: cacheSize }),
  userFolders: Config.all({
    DISTILLERY_CACHE: text("DISTILLERY_CACHE"),
    XDG_CACHE_HOME: text("XDG_CACHE_HOME"),
    XDG_CONFIG_HOME: text("XDG_CONFIG_HOME")
  }),
  signing: Config.all({
    secret: text("DISTILLERY_KEY"),
    scope: Config.schema(Scope, "DISTILLERY_SCOPE").pipe(Config.option),
    trustScopes: listOf(scopeFrom, "scope", "DISTILLERY_TRUST_SCOPES"),
    trustKeys: listOf(trustedKeyFrom, "key, alone or as KEY@SCOPE", "DISTILLERY_TRUST_KEYS")
  }),
  event: Config.all({
    GITHUB_ACTIONS: variable("GITHUB_ACTIONS"),
    GITHUB_REF: variable("GITHUB_REF"),
    GITHUB_HEAD_REF: variable("GITHUB_HEAD_REF")
  }),
  mirror: directory("DISTILLERY_MIRROR"),
  tensorflow: directory("DISTILLERY_TENSORFLOW"),
  backend: wordOf("DISTILLERY_BACKEND", "auto", "native", "portable"),
  kernels: wordOf("DISTILLERY_KERNELS", "own", "stock"),
  visibleGpus: text("CUDA_VISIBLE_DEVICES"),
  threads: count("DISTILLERY_THREADS", availableParallelism()),
  profile: directory("DISTILLERY_PROFILE"),
  concurrency: count("DISTILLERY_CONCURRENCY", availableParallelism()),
  gpuConcurrency: count("DISTILLERY_GPU_CONCURRENCY", 1),
  leaseSeconds: count("DISTILLERY_LEASE_SECONDS", 30, 3600),
  storePatienceSeconds: count("DISTILLERY_STORE_PATIENCE_SECONDS", 300, 86_400),
  keepStates: count("DISTILLERY_KEEP_STATES", 6)
})

/** `DISTILLERY_THREADS is wrong: "two" is no …`, from the schema's words and the path it gives. */
const wordsOf = (error: Config.ConfigError): string => {
  const [, what, name] = /^(?:SchemaError\()?([\s\S]*?)\s+at \["(\w+)"\]\)?$/.exec(error.message) ?? []
  if (what === undefined) return `A setting in the environment is wrong: ${error.message}`
  return `The environment variable ${name} is wrong: ${what.replace(/^E/, "e")}`
}

type FoundSigning = Omit<SigningOptions, "folder" | "scope"> & { readonly scope: Option.Option<Scope> }

const scopeUnknown = new SettingsInvalid({
  message:
    "It cannot be told for which pull request this workflow runs, and main is not for pull requests to " +
    `write to: set DISTILLERY_SCOPE, in the workflow as pr/\${{ github.event.number }}`
})

const signingFrom = (
  found: FoundSigning,
  event: GitHubEvent,
  folder: string
): Effect.Effect<SigningOptions, SettingsInvalid> => {
  const scope = Option.getOrElse(found.scope, () => scopeOnGitHub(event))
  if (scope === undefined) return Effect.fail(scopeUnknown)
  return Effect.succeed({
    ...found,
    scope,
    folder,
    secret: found.secret?.trim() === "" ? undefined : found.secret,
    trustScopes: found.trustScopes.length > 0 ? found.trustScopes : [...new Set([scope, mainScope])]
  })
}

interface EncryptionText {
  readonly kind: S3Encryption["kind"] | undefined
  readonly kmsKeyId: string | undefined
}

/** A key's name alone asks for the key service. */
const encryptionFrom = ({
  kind,
  kmsKeyId
}: EncryptionText): Effect.Effect<S3Encryption | undefined, SettingsInvalid> => {
  if (kmsKeyId === undefined || kmsKeyId === "") {
    return Effect.succeed(kind && { kind, kmsKeyId: undefined })
  }
  if (kind !== "AES256") return Effect.succeed({ kind: kind ?? "aws:kms", kmsKeyId })
  const message =
    "The environment variable DISTILLERY_S3_SSE_KMS_KEY_ID is wrong: with DISTILLERY_S3_SSE=AES256 the " +
    "server uses keys of its own; unset one of them, or let DISTILLERY_S3_SSE be aws:kms"
  return new SettingsInvalid({ message })
}

/** How the server is asked, and to keep what is written there. */
export const asked = (
  place: StorePlace,
  { addressing, encryption }: Pick<SettingsValue, "addressing" | "encryption">
): StorePlace =>
  place.kind === "s3"
    ? {
        ...place,
        ...(encryption !== undefined && { encryption }),
        ...(addressing !== "auto" && { addressing })
      }
    : place

/** Of a store in a folder nothing is kept twice. */
const blobCacheFor = (
  store: StorePlace,
  cacheDir: string,
  { folder, sizeBytesMax }: { readonly folder: string | undefined; readonly sizeBytesMax: number }
): SettingsValue["blobCache"] => {
  if (store.kind === "folder" || folder === "off" || sizeBytesMax === 0) return undefined
  return { folder: folder ? resolve(folder) : join(cacheDir, "blobs"), sizeBytesMax }
}

/** Reads the environment. Fails with `SettingsInvalid`, which names the variable and what it may be. */
export const read: Effect.Effect<SettingsValue, SettingsInvalid> = Effect.gen(function* () {
  const found = yield* Effect.mapError(settings, (error) => new SettingsInvalid({ message: wordsOf(error) }))
  const encryption = yield* encryptionFrom(found.encryption)
  const { addressing } = found
  const projectDir = process.cwd()
  const store = Option.match(found.store, {
    onNone: () => ({ kind: "folder" as const, folder: join(projectDir, ".distillery", "store") }),
    onSome: (place) => asked(place, { addressing, encryption })
  })
  const cacheDir = cacheFolder(found.userFolders)
  return {
    projectDir,
    store,
    encryption,
    addressing,
    cacheDir,
    blobCache: blobCacheFor(store, cacheDir, found.blobCache),
    signing: yield* signingFrom(found.signing, found.event, userFolder(found.userFolders)),
    mirrorDir: Option.getOrUndefined(found.mirror),
    tensorflowDir: Option.getOrUndefined(found.tensorflow),
    backend: found.backend,
    kernels: found.kernels,
    visibleGpus: found.visibleGpus,
    threads: found.threads,
    profileDir: Option.getOrUndefined(found.profile),
    concurrency: found.concurrency,
    gpuConcurrency: found.gpuConcurrency,
    leaseSeconds: found.leaseSeconds,
    storePatienceSeconds: found.storePatienceSeconds,
    keepStates: found.keepStates,
    environment: process.env
  }
})

export interface CacheFlags {
  readonly cacheDir: string | undefined
  readonly cacheSize: string | undefined
}

/** The same where flags of the command line stand for variables, for this process and its jobs. */
export const readWith = ({
  cacheDir,
  cacheSize
}: CacheFlags): Effect.Effect<SettingsValue, SettingsInvalid> => {
  const given = {
    ...(cacheDir !== undefined && { DISTILLERY_CACHE_DIR: cacheDir }),
    ...(cacheSize !== undefined && { DISTILLERY_CACHE_SIZE: cacheSize })
  }
  if (Object.keys(given).length === 0) return read
  const environment = { ...process.env, ...given }
  const provided = Effect.provide(read, ConfigProvider.layer(ConfigProvider.fromEnv({ env: environment })))
  return Effect.map(provided, (settings) => ({ ...settings, environment }))
}

/** What GitHub Actions asks of the programs that it runs. */
export interface GitHubValue {
  /** Whether lines such as `::error::` are read as annotations. */
  readonly annotates: boolean
  /** File to which the summary of the job is appended, in Markdown. */
  readonly summaryFile: string | undefined
}

const gitHub = Config.all({
  actions: Config.String("GITHUB_ACTIONS").pipe(Config.withDefault("")),
  summaryFile: Config.String("GITHUB_STEP_SUMMARY").pipe(Config.withDefault(""))
})

/** Outside GitHub Actions: no annotations, no file. */
export const readGitHub: Effect.Effect<GitHubValue> = Effect.map(
  Effect.orDie(gitHub),
  ({ actions, summaryFile }) => ({
    annotates: actions === "true",
    summaryFile: summaryFile === "" ? undefined : summaryFile
  })
)
