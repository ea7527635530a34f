import { spawnSync } from "node:child_process"
import { closeSync, existsSync, openSync } from "node:fs"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import { built } from "./builtProgram.ts"

const full = "/dev/full"

it.skipIf(!existsSync(full))("output that finds no room is an error, and not success", () => {
  const device = openSync(full, "w")
  const { status, stderr } = spawnSync(process.execPath, [join(built, "main.js"), "models"], {
    stdio: ["ignore", device, "pipe"],
    encoding: "utf8"
  })
  closeSync(device)
  assert.strictEqual(status, 1, stderr)
  assert.match(stderr, /^error: what was printed could not be written whole: .*ENOSPC/)
})
