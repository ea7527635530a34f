import { execFileSync } from "node:child_process"
import { chmodSync, existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterEach, assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { locateCpuLibrary, resolveCpuLibrary } from "../../../infra/tensorflow/cpu-library.ts"
import { until } from "../../support/processes.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"

const before = process.env.PATH
afterEach(() => {
  process.env.PATH = before
})

const found = (program: string): string => execFileSync("which", [program], { encoding: "utf8" }).trim()
const [sleep, remove] = ["sleep", "rm"].map(found)

/** A folder of programs that is all there is. */
const onlyPrograms = (programs: { readonly [name: string]: string }): string => {
  const folder = join(temporaryFolder(), "bin")
  mkdirSync(folder)
  for (const [name, script] of Object.entries(programs)) {
    writeFileSync(join(folder, name), script)
    chmodSync(join(folder, name), 0o755)
  }
  // pip is started through it.
  symlinkSync(found("env"), join(folder, "env"))
  return folder
}

describe("the library of our kernels", () => {
  // What a real one makes of them, every other suite sees.
  it.effect("is compiled once, whoever asks at the same time", () =>
    Effect.gen(function* () {
      const cacheDirectory = temporaryFolder()
      process.env.PATH = onlyPrograms({
        cc: '#!/bin/sh\nwhile [ $# -gt 0 ]; do [ "$1" = -o ] && : > "$2"; shift; done\nexit 0\n'
      })
      assert.strictEqual(locateCpuLibrary({ cacheDirectory }).kind, "absent")
      let timesCompiled = 0
      const resolve = resolveCpuLibrary({ cacheDirectory, onCompile: () => timesCompiled++ })
      const both = yield* Effect.all([resolve, resolve], { concurrency: 2 })
      assert.strictEqual(timesCompiled, 1)
      const located = locateCpuLibrary({ cacheDirectory })
      assert.strictEqual(located.kind, "compiled")
      assert.deepStrictEqual(both, [located, located])
      // Nothing but the object: no lock, no staging folder.
      assert.lengthOf(readdirSync(join(cacheDirectory, "kernels")), 1)
    })
  )

  it.effect("is absent, with every reason, where nothing compiles it", () =>
    Effect.gen(function* () {
      const cacheDirectory = temporaryFolder()
      const refusing = "#!/bin/sh\necho 'kernels.c:1: error: what is AVX?' >&2\nexit 1\n"
      process.env.PATH = onlyPrograms({ gcc: refusing })
      const absent = yield* resolveCpuLibrary({ cacheDirectory })
      assert.strictEqual(absent.kind, "absent")
      const reason = absent.kind === "absent" ? absent.reason : ""
      assert.match(reason, /^gcc refuses them \(kernels\.c:1: error: what is AVX\?\); /)
      assert.match(reason, /there is no other C compiler, and none could be fetched: there is no python3/)
      assert.isTrue(existsSync(join(cacheDirectory, "kernels")))
      assert.deepStrictEqual(readdirSync(join(cacheDirectory, "kernels")), [])
    })
  )

  it.effect("one compiler has ended before the next begins", () =>
    Effect.gen(function* () {
      const running = join(temporaryFolder(), "running")
      // The first source is refused while another is at work.
      const first = `case "$*" in *add.c*) echo "error: no" >&2; exit 1;; esac`
      const slow = `#!/bin/sh\n${first}\n: > ${running}\n${sleep} 1\n${remove} ${running}\n`
      const next = `#!/bin/sh\n[ -e ${running} ] && echo "error: gcc is at it" >&2\nexit 1\n`
      process.env.PATH = onlyPrograms({ gcc: slow, clang: next })
      const absent = yield* resolveCpuLibrary({ cacheDirectory: temporaryFolder() })
      assert.notInclude(absent.kind === "absent" ? absent.reason : "", "gcc is at it")
    })
  )

  it.live("asked to stop, it leaves nothing behind", () =>
    Effect.gen(function* () {
      const cacheDirectory = temporaryFolder()
      const folder = join(cacheDirectory, "kernels")
      process.env.PATH = onlyPrograms({ cc: `#!/bin/sh\nexec ${sleep} 60\n` })
      const compiling = yield* Effect.forkChild(resolveCpuLibrary({ cacheDirectory }))
      // The lock, and the folder that is compiled in.
      yield* Effect.promise(() => until(() => existsSync(folder) && readdirSync(folder).length === 2))
      yield* Fiber.interrupt(compiling)
      assert.deepStrictEqual(readdirSync(folder), [])
    })
  )
})
