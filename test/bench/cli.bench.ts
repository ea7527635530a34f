/** Start-up and warm runs of the built CLI, as whole processes. Needs one `npm start` before. */
import { spawnSync } from "node:child_process"
import { rmSync } from "node:fs"
import { median, type Row, row } from "./Row.ts"

const runs = 7

const seconds = (args: ReadonlyArray<string>): number => {
  const began = performance.now()
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" })
  if (status !== 0) throw new Error(`${args.join(" ")} ended with ${status}:\n${stderr}`)
  return (performance.now() - began) / 1000
}

const medianOf = (args: ReadonlyArray<string>) => median(Array.from({ length: runs }, () => seconds(args)))

/** Parses, hashes and bundles every stage of the pipeline. */
const unlearned = (args: ReadonlyArray<string>): number => {
  rmSync(".distillery/code", { recursive: true, force: true })
  return seconds(["dist/main.js", ...args])
}

export const measure = async (): Promise<ReadonlyArray<Row>> => {
  const bare = medianOf(["-e", "0"])
  const distillery = "dist/main.js"
  return [
    row({
      name: "help",
      value: medianOf([distillery, "--help"]),
      unit: "s",
      goal: 0.2,
      peer: "node -e 0",
      peerValue: bare
    }),
    row({ name: "plan of hits", value: medianOf([distillery, "plan", "quickstart"]), unit: "s", goal: 0.5 }),
    row({
      name: "plan, all code to be learned",
      value: median(Array.from({ length: 3 }, () => unlearned(["plan", "quickstart"]))),
      unit: "s",
      goal: 3
    }),
    row({ name: "run of hits", value: medianOf([distillery, "run", "quickstart"]), unit: "s", goal: 1 })
  ]
}
