/** `distillery doctor` */
import { Effect } from "effect"
import packageJson from "../../package.json" with { type: "json" }
import { bytes } from "../reporting/numbers.ts"
import { oneLine, type Paint } from "../reporting/paint.ts"
import { table } from "../reporting/table.ts"
import { read, type SettingsValue } from "../settings.ts"
import { s3Url } from "../stores/storePlace.ts"
import { folderChecks, machineChecks, nodeCheck, roomCheck, signingCheck } from "./doctorChecks.ts"
import { AlreadyReported, exitCodes } from "./errors.ts"
import type { Finding } from "./finding.ts"
import { Output, printJson } from "./Output.ts"
import { storeChecks } from "./storeChecks.ts"

interface ShownSetting {
  readonly variable: string
  readonly value: string
  readonly from: "environment" | "default"
}

const valuesOf = (settings: SettingsValue): ReadonlyArray<readonly [variable: string, value: string]> => {
  const { blobCache, signing, store } = settings
  const encryption = store.kind === "s3" ? store.encryption : undefined
  return [
    ["DISTILLERY_STORE", store.kind === "folder" ? store.folder : s3Url(store)],
    ["DISTILLERY_S3_SSE", encryption?.kind ?? "as the bucket says"],
    ["DISTILLERY_S3_SSE_KMS_KEY_ID", encryption?.kmsKeyId ?? "the server's default"],
    ["DISTILLERY_S3_ADDRESSING", settings.addressing],
    ["DISTILLERY_CACHE", settings.cacheDir],
    ["DISTILLERY_CACHE_DIR", blobCache?.folder ?? "off"],
    ["DISTILLERY_CACHE_SIZE", blobCache === undefined ? "none" : bytes(blobCache.sizeBytesMax)],
    ["DISTILLERY_MIRROR", settings.mirrorDir ?? "none"],
    ["DISTILLERY_BACKEND", settings.backend],
    ["DISTILLERY_TENSORFLOW", settings.tensorflowDir ?? "fetched by pip"],
    ["DISTILLERY_KERNELS", settings.kernels],
    ["CUDA_VISIBLE_DEVICES", settings.visibleGpus ?? "all"],
    ["DISTILLERY_THREADS", String(settings.threads)],
    ["DISTILLERY_PROFILE", settings.profileDir ?? "none"],
    ["DISTILLERY_CONCURRENCY", String(settings.concurrency)],
    ["DISTILLERY_GPU_CONCURRENCY", String(settings.gpuConcurrency)],
    ["DISTILLERY_LEASE_SECONDS", String(settings.leaseSeconds)],
    ["DISTILLERY_KEEP_STATES", String(settings.keepStates)],
    // A secret is never shown.
    ["DISTILLERY_KEY", signing.secret === undefined ? "made for you" : "set"],
    ["DISTILLERY_SCOPE", signing.scope],
    ["DISTILLERY_TRUST_SCOPES", signing.trustScopes.join(",")],
    [
      "DISTILLERY_TRUST_KEYS",
      signing.trustKeys.map(({ keyId, scopes }) => `${keyId}@${scopes.join(",")}`).join(",") ||
        "your own, and those of `distillery key list`"
    ]
  ]
}

const shownSettings = (settings: SettingsValue): ReadonlyArray<ShownSetting> =>
  valuesOf(settings).map(([variable, value]) => {
    const given = settings.environment[variable]
    return { variable, value, from: given === undefined || given === "" ? "default" : "environment" }
  })

const signs: { readonly [state in Finding["state"]]: (paint: Paint) => string } = {
  ok: ({ green }) => green("ok  "),
  warn: ({ yellow }) => yellow("warn"),
  fail: ({ red }) => red("fail")
}

const findingLines = (findings: ReadonlyArray<Finding>, paint: Paint): ReadonlyArray<string> => {
  const columns = Math.max(...findings.map(({ name }) => name.length))
  return findings.flatMap(({ fix, name, state, text }) => [
    `${signs[state](paint)}  ${paint.bold(name.padEnd(columns))}  ${oneLine(text)}`,
    ...(fix === undefined ? [] : [`${" ".repeat(columns + 8)}${oneLine(fix)}`])
  ])
}

const settingLines = (settings: ReadonlyArray<ShownSetting>, paint: Paint): ReadonlyArray<string> =>
  table(
    [{ title: "setting" }, { title: "value" }, { title: "from" }],
    settings.map(({ from, value, variable }) => [
      variable,
      oneLine(value),
      from === "environment" ? paint.cyan(from) : paint.dim(from)
    ]),
    paint
  )

/** Settings that make no sense are a finding, too: the rest cannot be looked at then. */
const examined = Effect.gen(function* () {
  const node = yield* nodeCheck
  const settings = yield* Effect.result(read)
  if (settings._tag === "Failure") {
    const { message } = settings.failure
    const wrong: Finding = {
      name: "settings",
      state: "fail",
      text: message,
      fix: "Correct it, or unset it: the rest is looked at then"
    }
    return { findings: [node, wrong], settings: [] }
  }
  const found = settings.success
  const store = yield* storeChecks(found)
  const ofStore = store[0]!.state === "fail" ? [] : [roomCheck(found), signingCheck(found)]
  const rest = yield* Effect.all([...folderChecks(found), ...ofStore])
  const findings = [node, ...store, ...rest, ...(yield* machineChecks(found))]
  return { findings, settings: shownSettings(found) }
})

const closing = (findings: ReadonlyArray<Finding>): string => {
  const count = (state: Finding["state"]): number => findings.filter((one) => one.state === state).length
  const [broken, doubtful] = [count("fail"), count("warn")]
  if (broken > 0) return `${broken} of ${findings.length} checks failed.`
  return doubtful > 0 ? `Nothing is broken; ${doubtful} could be better.` : "All is well."
}

export const doctor = Effect.fn("doctor")(function* ({ json }: { readonly json: boolean }) {
  const { paint, print } = yield* Output
  const { version } = packageJson
  const { findings, settings } = yield* examined
  yield* json
    ? printJson({ schemaVersion: 1, version, checks: findings, settings })
    : print([
        `distillery ${version}`,
        "",
        ...findingLines(findings, paint),
        ...(settings.length === 0 ? [] : ["", ...settingLines(settings, paint)]),
        "",
        closing(findings)
      ])
  if (findings.some(({ state }) => state === "fail")) {
    return yield* new AlreadyReported({ exitCode: exitCodes.failed })
  }
})
