/**
 * Strict mode, in the process of one job: everything through which a body could read what its key does not
 * know tells who uses it. Nothing is forbidden; the result is.
 */
import { syncBuiltinESMExports } from "node:module"
import { ConfigProvider, Context, Effect, Layer, Random } from "effect"
import type { Leak } from "../../lib/workflow/Leak.ts"
import { makeAttribution, type StageCode } from "./attribution.ts"
import type { Tell } from "./Trap.ts"
import { trapFiles, trapMachine, trapNetwork, trapPrograms } from "./trapFiles.ts"
import { trapChance, trapClock, trapEnvironment, trapLocale } from "./trapValues.ts"

export interface TrapOptions extends StageCode {
  /** Folders and files that the stage's contract names as external inputs. */
  readonly declared: ReadonlyArray<string>
  readonly report: (leak: Leak) => void
}

/** Each leak once, and none while one is looked at: looking reads files and clocks too. */
const reportOnce = (report: (leak: Leak) => void) => {
  const seen = new Set<string>()
  return (leak: Leak): void => {
    const id = `${leak.kind}\n${leak.what}\n${leak.where}`
    if (seen.has(id)) return
    seen.add(id)
    report(leak)
  }
}

/** For as long as the process lives. */
export const setTraps = (options: TrapOptions): void => {
  const attribute = makeAttribution(options)
  const report = reportOnce(options.report)
  let looking = false
  const tell: Tell = (kind, what, cut) => {
    if (looking) return
    looking = true
    try {
      const found = attribute(cut, kind)
      if (found !== undefined) report({ kind, what, where: found.where })
    } finally {
      looking = false
    }
  }
  trapEnvironment(tell)
  trapClock(tell)
  trapChance(tell)
  trapLocale(tell)
  trapFiles(tell, options.declared)
  trapNetwork(tell)
  trapPrograms(tell)
  trapMachine(tell)
  syncBuiltinESMExports()
}

/**
 * Effect's own ways to chance and environment, which leave no trace on the stack: whatever asks for them
 * while a body runs is the body. Its `Clock` stays: bodies measure their speed by it, for provenance only.
 */
export const effectTraps = (report: (leak: Leak) => void): Layer.Layer<never> => {
  const once = reportOnce(report)
  const chance = () => once({ kind: "randomness", what: "Effect's Random without a seed", where: null })
  const random: Random.Random = {
    nextIntUnsafe: () => {
      chance()
      return Math.floor(Math.random() * Number.MAX_SAFE_INTEGER)
    },
    nextDoubleUnsafe: () => {
      chance()
      return Math.random()
    }
  }
  const environment = ConfigProvider.fromEnv()
  const watched = ConfigProvider.make((path) =>
    Effect.suspend(() => {
      once({ kind: "environment", what: path.join("_"), where: null })
      return environment.load(path)
    })
  )
  return Layer.succeedContext(
    Context.make(Random.Random, random).pipe(Context.add(ConfigProvider.ConfigProvider, watched))
  )
}
