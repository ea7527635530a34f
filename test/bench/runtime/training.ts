/** Training steps of ours and of PyTorch: the same networks, recipe, precision, batch and threads. */
import { Effect } from "effect"
import type { Architecture } from "../../../lib/models/Architecture.ts"
import { loadClassifier } from "../../../lib/models/Classifier.ts"
import type { Precision } from "../../../lib/tensor/Runtime.ts"
import { type Row, row } from "../Row.ts"
import { startOurs, startPeer } from "./Contender.ts"
import { type Assignment, type NetworkCase, type Timing, trainingCases } from "./cases.ts"
import { measured } from "./inTurns.ts"

export interface MeasureOptions {
  readonly python: string
  readonly precisions: ReadonlyArray<Precision>
  readonly repeats: number
  readonly threads: number
  readonly wanted: (caseName: string) => boolean
  /** Called when a case is done. */
  readonly tell: (rows: ReadonlyArray<Row>) => void
}

export const trainingRows = async (options: MeasureOptions): Promise<ReadonlyArray<Row>> => {
  const peaks = new Map<Precision, number>()
  const rows: Array<Row> = []
  const add = (more: ReadonlyArray<Row>) => {
    rows.push(...more)
    options.tell(more)
  }
  for (const precision of options.precisions) {
    const { macsPerSecond, row: peakRow } = await peak(options, precision)
    peaks.set(precision, macsPerSecond)
    add([peakRow])
  }
  for (const [name, the] of Object.entries(trainingCases).filter(([name]) => options.wanted(name))) {
    for (const precision of options.precisions) {
      add(await caseRows(options, `${name} ${precision}`, the, precision, peaks.get(precision)!))
    }
  }
  add(summaries(rows))
  return rows
}

const caseRows = async (
  { python, repeats, threads }: MeasureOptions,
  name: string,
  the: NetworkCase,
  precision: Precision,
  peakMacsPerSecond: number
): Promise<ReadonlyArray<Row>> => {
  const whole: Assignment = { what: "training", case: the, precision, threads }
  const alone: Assignment = { ...whole, threads: 1 }
  const wide = await measured(
    [() => startOurs({ assignment: whole }), () => startPeer("PyTorch", python, { assignment: whole })],
    repeats
  )
  const pinned = await measured(
    [
      () => startOurs({ assignment: alone, core: 0 }),
      () => startPeer("PyTorch", python, { assignment: alone, core: 0 })
    ],
    repeats
  )
  const peer = `PyTorch ${wide.versions[1]}`
  const against = (what: string, unit: string, [ours, theirs]: ReadonlyArray<Timing>, field: keyof Timing) =>
    row({ name: `${name}, ${what}`, value: ours![field], unit, peer, peerValue: theirs![field] })
  const macs = await macsOf(the)
  const [ours, theirs] = wide.timings.map(({ wall }) => macs / (wall / 1000) / peakMacsPerSecond)
  return [
    against(wallOf(threads), "ms/step", wide.timings, "wall"),
    against(onOneCore, "CPU-ms/step", pinned.timings, "cpu"),
    against(memory, "MiB", wide.timings, "peakMebibytes"),
    against("CPU in the system", "ms/step", wide.timings, "system"),
    against("page faults", "pages/step", wide.timings, "pageFaults"),
    row({ name: `${name}, share of the peak`, value: ours!, unit: "of matmul", peer, peerValue: theirs! })
  ]
}

const wallOf = (threads: number) => `${threads} threads`
const onOneCore = "one core"
const memory = "peak memory"

/** Forward, and twice as much backward; the teacher forward only. */
const macsOf = async ({ architecture, batch, numClasses, size, teacher }: NetworkCase): Promise<number> => {
  const macs = async (of: Architecture) => {
    const load = loadClassifier({ architecture: of, imageChannels: 3, numClasses })
    return (await Effect.runPromise(load)).macs(size, size)
  }
  return batch * (3 * (await macs(architecture)) + (teacher === undefined ? 0 : await macs(teacher)))
}

/** What the machine does at best: a chain of matrix products, by us or by PyTorch, whoever is faster. */
const peak = async ({ python, repeats, threads }: MeasureOptions, precision: Precision) => {
  const assignment: Assignment = { what: "matmul", size: 2048, count: 8, precision, threads }
  const { timings, versions } = await measured(
    [() => startOurs({ assignment }), () => startPeer("PyTorch", python, { assignment })],
    repeats
  )
  const [ours, theirs] = timings.map(({ wall }) => (assignment.count * assignment.size ** 3) / (wall / 1000))
  return {
    macsPerSecond: Math.max(ours!, theirs!),
    row: row({
      name: `matmul ${precision}`,
      value: ours! / 1e9,
      unit: "GMAC/s",
      peer: `PyTorch ${versions[1]}`,
      peerValue: theirs! / 1e9
    })
  }
}

/** Geometric means and largest ratios over all cases. */
const summaries = (rows: ReadonlyArray<Row>): ReadonlyArray<Row> => {
  const ratios = (end: RegExp) =>
    rows.flatMap(({ name, ratio }) => (end.test(name) && ratio !== null ? [ratio] : []))
  const mean = (values: ReadonlyArray<number>) =>
    Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length)
  const summary = (name: string, value: number, goal: number) =>
    row({ name, value, unit: "of PyTorch's", goal })
  const [wide, pinned, peaks] = [/, \d+ threads$/, /, one core$/, /, peak memory$/].map(ratios)
  return [
    summary("training, geometric mean of times", mean(wide!), 0.85),
    summary("training, largest of times", Math.max(...wide!), 1),
    summary("training, geometric mean of CPU times on one core", mean(pinned!), 0.85),
    summary("training, largest of CPU times on one core", Math.max(...pinned!), 1),
    summary("training, largest of peak memories", Math.max(...peaks!), 1)
  ]
}
