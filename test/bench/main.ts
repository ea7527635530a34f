/**
 * `npm run bench -- AREA [--json]`: speed and memory, each case beside a peer measured in the same run. Never
 * asserted in a test: machines differ, and so do minutes.
 */
import type { Row } from "./Row.ts"

const areas: {
  readonly [name: string]: () => Promise<{
    readonly measure: (flags: ReadonlyArray<string>) => Promise<ReadonlyArray<Row>>
  }>
} = {
  runtime: () => import("./runtime.bench.ts"),
  cli: () => import("./cli.bench.ts"),
  data: () => import("./data.bench.ts"),
  engine: () => import("./engine.bench.ts"),
  storage: () => import("./storage.bench.ts"),
  trust: () => import("./trust.bench.ts")
}

const [area, ...flags] = process.argv.slice(2)
const load = area === undefined ? undefined : areas[area]
if (load === undefined) {
  console.error(`usage: npm run bench -- AREA [--json]   (areas: ${Object.keys(areas).join(", ")})`)
  process.exit(2)
}

const number = (value: number | null) => (value === null ? "–" : value.toPrecision(3))
const rows = await (await load()).measure(flags)
if (flags.includes("--json")) console.log(JSON.stringify(rows, null, 2))
else {
  for (const { goal, met, name, peer, peerValue, ratio, unit, value } of rows) {
    const against = peer === null ? "" : `   ${peer} ${number(peerValue)} ${unit}   ratio ${number(ratio)}`
    const aim = goal === null ? "" : `   goal ${number(goal)} ${met ? "met" : "missed"}`
    console.log(`${name.padEnd(44)} ${number(value)} ${unit}${aim}${against}`)
  }
}
