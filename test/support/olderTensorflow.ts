/**
 * TensorFlow 2.9.1, which tfjs-node brings along, as far as it is to be had from Python's wheel: there the C
 * API lies in an object that also wants Python's symbols. A library of empty ones stands in for Python;
 * nothing calls them.
 */
import { execFileSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import process from "node:process"
import { unpackWheel } from "../../infra/tensorflow/wheel.ts"
import { cacheFolder } from "../../infra/userFolders.ts"

export const olderVersion = "2.9.1"

const folder = join(cacheFolder(process.env), "tools", `tensorflow-${olderVersion}`)

export interface OlderTensorflow {
  readonly directory: string
  /** Has to be in `LD_PRELOAD` of the process that loads it. */
  readonly preload: string
}

/** `undefined` where `installOlder` has not been run. */
export const olderTensorflow: OlderTensorflow | undefined = existsSync(folder)
  ? { directory: folder, preload: join(folder, "python.so") }
  : undefined

const DOWNLOAD = [
  "download",
  "--quiet",
  "--no-deps",
  "--no-cache-dir",
  "--only-binary=:all:",
  "--python-version=3.10",
  "--implementation=cp",
  "--platform=manylinux2014_x86_64",
  `tensorflow-cpu==${olderVersion}`
]

const API = "tensorflow/python/_pywrap_tensorflow_internal.so"

/** Fetches 207 MB by pip, and compiles the stand-in: needs pip, cc and nm. */
export const installOlder = async (): Promise<OlderTensorflow> => {
  if (olderTensorflow !== undefined) return olderTensorflow
  mkdirSync(join(folder, ".."), { recursive: true })
  const staging = mkdtempSync(`${folder}-`)
  execFileSync("python3", ["-m", "pip", ...DOWNLOAD, "--dest", staging], { stdio: "inherit" })
  const wheel = readdirSync(staging).find((name) => name.endsWith(".whl"))!
  await unpackWheel({
    archive: join(staging, wheel),
    wanted: /^tensorflow\/(libtensorflow_framework\.so\.2|python\/_pywrap_tensorflow_internal\.so)$/,
    prefix: "tensorflow/",
    folder: staging,
    onProgress: () => undefined,
    signal: new AbortController().signal
  })
  renameSync(join(staging, API.slice("tensorflow/".length)), join(staging, "libtensorflow.so.2"))
  compileStandIn(staging)
  rmSync(join(staging, wheel))
  renameSync(staging, folder)
  return { directory: folder, preload: join(folder, "python.so") }
}

const compileStandIn = (staging: string): void => {
  const listed = execFileSync("nm", ["-D", "--undefined-only", join(staging, "libtensorflow.so.2")], {
    encoding: "utf8",
    maxBuffer: 2 ** 28
  })
  const names = [...new Set([...listed.matchAll(/\b(_?Py\w+)/g)].map(([name]) => name))]
  const isData = /(_Type|Struct)$|^PyExc_/
  const lines = names.map((name) =>
    isData.test(name) ? `char ${name}[4096];` : `void ${name}(void) { __builtin_trap(); }`
  )
  const source = join(staging, "python.c")
  writeFileSync(source, lines.join("\n"))
  execFileSync("cc", ["-shared", "-fPIC", "-w", "-o", join(staging, "python.so"), source])
}
