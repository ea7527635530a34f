/**
 * Our kernels compiled with AddressSanitizer and UndefinedBehaviorSanitizer, under their own tests: a read or
 * write outside of what they were given ends the process with the sanitizer's account of it.
 */
import { execFileSync, spawnSync } from "node:child_process"
import { chmodSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Effect } from "effect"
import { afterEach, assert, describe, it } from "vitest"
import { resolveCpuLibrary } from "../../infra/tensorflow/cpu-library.ts"
import { library } from "../support/runtimes.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"

/** What has to be in the process before all else; not found, the compiler answers the bare name. */
const preloaded = ["libasan.so", "libubsan.so"].map((name) => {
  const { stdout } = spawnSync("gcc", [`-print-file-name=${name}`], { encoding: "utf8" })
  return stdout?.trim() ?? name
})
const canSanitize = preloaded.every((file) => file.startsWith("/"))
const skipped = canSanitize ? "" : " (skipped: there is no gcc with libasan)"

const before = process.env.PATH
afterEach(() => {
  process.env.PATH = before
})

const flags = [
  ...["-O1", "-g", "-fno-omit-frame-pointer"],
  ...["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"],
  // gcc 12 reports it for every element of `(condition ? table : other)[i][j]`.
  "-fno-sanitize=object-size"
]

/** gcc under the name that is asked for first; the last of contradicting arguments counts. */
const sanitizingCompiler = (folder: string): void => {
  const gcc = execFileSync("which", ["gcc"], { encoding: "utf8" }).trim()
  mkdirSync(folder)
  writeFileSync(join(folder, "cc"), `#!/bin/sh\nexec ${gcc} "$@" ${flags.join(" ")}\n`)
  chmodSync(join(folder, "cc"), 0o755)
}

const kernelTests = (cacheHome: string) => {
  const vitest = join(import.meta.dirname, "../../node_modules/vitest/vitest.mjs")
  const limits = ["--testTimeout", "600000", "--no-file-parallelism"]
  return spawnSync(process.execPath, [vitest, "run", "test/infra/tensorflow/cpu/", ...limits], {
    cwd: join(import.meta.dirname, "../.."),
    encoding: "utf8",
    maxBuffer: 2 ** 28,
    env: {
      ...process.env,
      NO_COLOR: "1",
      XDG_CACHE_HOME: cacheHome,
      // The user's, not fetched once more.
      ...(library.kind === "native" ? { DISTILLERY_TENSORFLOW: library.directory } : {}),
      LD_PRELOAD: preloaded.join(" "),
      // Node gives nothing back at its end. A report ends the process, so that no test can pass over it.
      ASAN_OPTIONS: "detect_leaks=0:halt_on_error=1:abort_on_error=1"
    }
  })
}

describe(`kernels under the sanitizers${skipped}`, () => {
  it.skipIf(!canSanitize)(
    "touch nothing but what they were given",
    async () => {
      const cacheHome = temporaryFolder()
      sanitizingCompiler(join(cacheHome, "bin"))
      process.env.PATH = `${join(cacheHome, "bin")}:${before}`
      const compiled = await Effect.runPromise(
        resolveCpuLibrary({ cacheDirectory: join(cacheHome, "distillery") })
      )
      assert.strictEqual(compiled.kind, "compiled", JSON.stringify(compiled))
      process.env.PATH = before
      const { status, stderr, stdout } = kernelTests(cacheHome)
      assert.strictEqual(status, 0, `${stdout.slice(-2000)}\n${stderr.slice(-10_000)}`)
    },
    3_600_000
  )
})
