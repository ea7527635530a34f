/** The program under a Node that is too old for it, where there is one beside ours. */
import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { delimiter, join } from "node:path"
import { assert, it } from "vitest"
import { built } from "./builtProgram.ts"

const majorOf = (node: string): number =>
  Number(/^v(\d+)/.exec(spawnSync(node, ["--version"], { encoding: "utf8" }).stdout)?.[1] ?? Number.NaN)

const oldNode = process.env.PATH?.split(delimiter)
  .map((folder) => join(folder, "node"))
  .find((node) => existsSync(node) && majorOf(node) < 22)

it.skipIf(oldNode === undefined)("says which Node it needs (needs an older one in PATH)", () => {
  const { status, stderr } = spawnSync(oldNode!, [join(built, "main.js"), "--help"], { encoding: "utf8" })
  assert.strictEqual(status, 2, stderr)
  assert.match(stderr, /^error: distillery needs Node 22\.19 or newer, and this is \d+\./)
  assert.match(stderr, /npm install-scripts approve node/)
})
