/** What one seed of one variant of an experiment came to: a committed JSON file each. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Schema } from "effect"

export const ExperimentRecord = Schema.Struct({
  schemaVersion: Schema.Literal(1),
  experiment: Schema.String,
  /** What differs between the sides that are compared: `ours`, `pytorch`. */
  variant: Schema.String,
  seed: Schema.Int,
  /** Does this one again, on a machine that has the data. */
  command: Schema.String,
  /** YYYY-MM-DD, in UTC. */
  date: Schema.String,
  /** Of this repository, when it ran. */
  commit: Schema.String,
  /** One number each: fractions 0…1, losses in nats. */
  figures: Schema.Record(Schema.String, Schema.Number),
  /** A value for each epoch, or each step where the name says so. */
  curves: Schema.Record(Schema.String, Schema.Array(Schema.Number)),
  /** What decides bits: backend, library, threads, … */
  numerics: Schema.Record(Schema.String, Schema.Json)
})
export type ExperimentRecord = typeof ExperimentRecord.Type

const resultsFolder = join(import.meta.dirname, "results")

const fileOf = ({ experiment, seed, variant }: Pick<ExperimentRecord, "experiment" | "seed" | "variant">) =>
  join(resultsFolder, experiment, `${variant}-seed${seed}.json`)

export const isRecorded = (place: Parameters<typeof fileOf>[0]): boolean => existsSync(fileOf(place))

const sevenDigits = (value: number): number => Number(value.toPrecision(7))

/** Curves are kept to seven digits, figures as they are; a curve takes one line. */
export const writeRecord = (record: ExperimentRecord): string => {
  const curves = Object.fromEntries(
    Object.entries(record.curves).map(([name, values]) => [name, values.map(sevenDigits)])
  )
  const text = JSON.stringify(Schema.encodeSync(ExperimentRecord)({ ...record, curves }), null, 2)
  const oneLine = (list: string) => list.replaceAll(/\s+/g, " ").replace("[ ", "[").replace(" ]", "]")
  mkdirSync(join(resultsFolder, record.experiment), { recursive: true })
  writeFileSync(fileOf(record), `${text.replaceAll(/\[[^[\]]*\]/g, oneLine)}\n`)
  return fileOf(record)
}

/** All that is recorded of an experiment, in the order of variants and seeds. Throws on what is no record. */
export const readRecords = (experiment: string): ReadonlyArray<ExperimentRecord> => {
  const folder = join(resultsFolder, experiment)
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((name) => name.endsWith(".json"))
    .map((name) =>
      Schema.decodeUnknownSync(ExperimentRecord)(JSON.parse(readFileSync(join(folder, name), "utf8")))
    )
    .sort((a, b) => (a.variant < b.variant ? -1 : a.variant > b.variant ? 1 : a.seed - b.seed))
}
