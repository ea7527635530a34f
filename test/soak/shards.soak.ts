/** A split of 20,000 images of 256 x 256, 3.9 GB of pixels, is prepared and trained on in bounded memory. */
import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { native } from "../support/runtimes.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"

const script = join(import.meta.dirname, "../support/shardMemoryChild.ts")
const thousands = process.env.SHARD_THOUSANDS ?? "20"

describe(`a dataset larger than its share of memory${native.skipped}`, () => {
  it.skipIf(native.skipped !== "")(
    "is prepared and trained on a window at a time",
    () => {
      const folder = temporaryFolder()
      const peakMiB = (task: string): number => {
        const args = ["--import", "tsx", script, task, folder, thousands]
        const { stdout } = spawnSync(process.execPath, args, {
          encoding: "utf8",
          stdio: ["ignore", "pipe", "inherit"]
        })
        return Number(stdout)
      }
      const [prepared, trained] = [peakMiB("prepare"), peakMiB("train")]
      console.log(`${thousands},000 images: prepared in ${prepared} MiB, trained in ${trained} MiB`)
      // Ingested images to be mixed, two open shards, and one that is being written, twice.
      assert.isBelow(prepared, 1024 + 4 * 256 + 1024)
      // Eleven shards of training, two of validation.
      assert.isBelow(trained, 13 * 256 + 512)
    },
    1_800_000
  )
})
