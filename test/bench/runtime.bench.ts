/**
 * The native runtime beside PyTorch and ONNX Runtime, each in a process of its own and in turns:
 *
 *     npm run bench -- runtime [--json] [--part training|inference|living] [--case NAME]
 *       [--precision float32|bfloat16] [--repeats 9] [--threads 2] [--profile FOLDER]
 *
 * `--profile` measures nothing: it writes where the time of our steps goes.
 */
import { parseArgs } from "node:util"
import { Schema } from "effect"
import { Precision } from "../../lib/tensor/Runtime.ts"
import type { Row } from "./Row.ts"
import { trainingCases } from "./runtime/cases.ts"
import { inferenceRows } from "./runtime/inference.ts"
import { livingRows } from "./runtime/living.ts"
import { quietRows } from "./runtime/machine.ts"
import { peerPython } from "./runtime/peerPython.ts"
import { writeProfile } from "./runtime/profile.ts"
import { trainingRows } from "./runtime/training.ts"

const parts = ["training", "inference", "living"]

const optionsFrom = (flags: ReadonlyArray<string>) => {
  const { values } = parseArgs({
    args: [...flags],
    options: {
      json: { type: "boolean" },
      part: { type: "string", multiple: true },
      case: { type: "string", multiple: true },
      precision: { type: "string", multiple: true },
      repeats: { type: "string" },
      threads: { type: "string" },
      profile: { type: "string" }
    }
  })
  const { case: cases, part = parts, precision = ["float32", "bfloat16"], profile } = values
  return {
    parts: part,
    precisions: precision.map((name) => Schema.decodeUnknownSync(Precision)(name)),
    repeats: Number(values.repeats ?? 9),
    threads: Number(values.threads ?? 2),
    wanted: (name: string) => cases === undefined || cases.includes(name),
    profile
  }
}

export const measure = async (flags: ReadonlyArray<string>): Promise<ReadonlyArray<Row>> => {
  const options = optionsFrom(flags)
  if (options.profile !== undefined) {
    await writeProfiles(options, options.profile)
    return []
  }
  const measuring = { ...options, python: peerPython(), tell }
  const rows: Array<Row> = [...(await quietRows("before"))]
  tell(rows)
  if (options.parts.includes("living")) rows.push(...(await livingRows()))
  if (options.parts.includes("inference")) rows.push(...(await inferenceRows(measuring)))
  if (options.parts.includes("training")) rows.push(...(await trainingRows(measuring)))
  return [...rows, ...(await quietRows("after"))]
}

/** It takes the better part of an hour: what is known goes to stderr meanwhile. */
const tell = (rows: ReadonlyArray<Row>): void => {
  for (const { name, ratio, unit, value } of rows) {
    const against = ratio === null ? "" : `, ratio ${ratio.toFixed(3)}`
    console.error(`  ${name}: ${value.toPrecision(4)} ${unit}${against}`)
  }
}

const writeProfiles = async (
  { precisions, threads, wanted }: ReturnType<typeof optionsFrom>,
  folder: string
): Promise<void> => {
  for (const [name, the] of Object.entries(trainingCases).filter(([name]) => wanted(name))) {
    for (const precision of precisions) {
      const assignment = { what: "training", case: the, precision, threads } as const
      await writeProfile(assignment, folder, `${name}-${precision}`)
    }
  }
}
