/**
 * `npm run experiment -- NAME [--only VARIANT,…] [--seeds 0,1,…]`: runs what of an experiment is not recorded
 * yet, one training after another, and records each when it is done. `npm run experiment -- summary`: see
 * `summary.ts`.
 */
import { execFileSync } from "node:child_process"
import { parseArgs } from "node:util"
import { experiments } from "./Experiment.ts"
import { isRecorded, writeRecord } from "./ExperimentRecord.ts"

const refuse = (message: string): never => {
  console.error(message)
  process.exit(2)
}

const argumentsOf = () => {
  try {
    return parseArgs({
      allowPositionals: true,
      options: { only: { type: "string" }, seeds: { type: "string" }, help: { type: "boolean" } }
    })
  } catch (cause) {
    return refuse((cause as Error).message)
  }
}

const { positionals, values } = argumentsOf()
const names = ["summary", ...Object.keys(experiments)].join(", ")
const usage = `usage: npm run experiment -- NAME [--only VARIANT,…] [--seeds 0,1,…]   (names: ${names})`
if (values.help === true) {
  console.log(usage)
  process.exit(0)
}
const [name = ""] = positionals
if (name === "summary") {
  await import("./summary.ts")
  process.exit(0)
}
const load = experiments[name] ?? refuse(usage)
const { experiment } = await load()
const wanted = values.only?.split(",") ?? experiment.variants
const seeds = values.seeds?.split(",").map(Number) ?? experiment.seeds
const isKnown =
  wanted.every((one) => experiment.variants.includes(one)) &&
  seeds.every((one) => experiment.seeds.includes(one))
if (!isKnown) {
  refuse(
    `${name} has the variants ${experiment.variants.join(", ")} and the seeds ${experiment.seeds.join(", ")}`
  )
}
const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim()

for (const seed of seeds) {
  for (const variant of experiment.variants.filter((one) => wanted.includes(one))) {
    if (isRecorded({ experiment: name, variant, seed })) continue
    console.error(`${name}: ${variant}, seed ${seed}`)
    const outcome = await experiment.run(variant, seed)
    const file = writeRecord({
      schemaVersion: 1,
      experiment: name,
      variant,
      seed,
      command: `npm run experiment -- ${name} --only ${variant} --seeds ${seed}`,
      date: new Date().toISOString().slice(0, 10),
      commit,
      ...outcome
    })
    console.error(`${name}: ${variant}, seed ${seed}: ${JSON.stringify(outcome.figures)} in ${file}`)
  }
}
