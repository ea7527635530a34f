/** Profiles as files: what the setting `DISTILLERY_PROFILE` asks for. */
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import process from "node:process"
import { chromeTrace, profileTable } from "./StepProfile.ts"
import type { ProfileOptions } from "./StepProfiler.ts"

/**
 * The eleventh run of each compiled step of this process, as `step-<process>-<number>.txt` for people and
 * `.trace.json` for a browser.
 */
export const profilesInto = (folder: string): ProfileOptions => {
  let number = 0
  return {
    skip: 10,
    count: 1,
    take: (profile) => {
      number += 1
      const file = join(folder, `step-${process.pid}-${number}`)
      mkdirSync(folder, { recursive: true })
      writeFileSync(`${file}.txt`, profileTable(profile))
      writeFileSync(`${file}.trace.json`, chromeTrace(profile))
    }
  }
}
