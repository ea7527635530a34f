/** Forward passes of ours, ONNX Runtime and PyTorch in float32. */
import { type Row, row } from "../Row.ts"
import { startOurs, startPeer } from "./Contender.ts"
import { type Assignment, inferenceCases, type NetworkCase } from "./cases.ts"
import { measured } from "./inTurns.ts"
import type { MeasureOptions } from "./training.ts"

const libraries = ["ONNX Runtime", "PyTorch"] as const

export const inferenceRows = async (options: MeasureOptions): Promise<ReadonlyArray<Row>> => {
  const rows: Array<Row> = []
  for (const [name, the] of Object.entries(inferenceCases).filter(([name]) => options.wanted(name))) {
    const more = [
      ...(await besidePeers(options, `${name} inference, ${options.threads} threads`, the)),
      ...(await besidePeers(options, `${name} inference, one core`, the, 0))
    ]
    rows.push(...more)
    options.tell(more)
  }
  return rows
}

/** Milliseconds per image beside either peer, of CPU on one core; the goal is to be as fast as both. */
const besidePeers = async (
  { python, repeats, threads }: MeasureOptions,
  name: string,
  the: NetworkCase,
  core?: number
): Promise<ReadonlyArray<Row>> => {
  const assignment: Assignment = {
    what: "inference",
    case: the,
    precision: "float32",
    threads: core === undefined ? threads : 1
  }
  const place = { assignment, ...(core !== undefined && { core }) }
  const { timings, versions } = await measured(
    [() => startOurs(place), ...libraries.map((library) => () => startPeer(library, python, place))],
    repeats
  )
  const [ours, ...theirs] = timings.map(({ cpu, wall }) => (core === undefined ? wall : cpu) / the.batch)
  const beside = libraries.map((library, index) =>
    row({
      name: `${name}, beside ${library}`,
      value: ours!,
      unit: core === undefined ? "ms/image" : "CPU-ms/image",
      goal: theirs[index]!,
      peer: `${library} ${versions[index + 1]}`,
      peerValue: theirs[index]!
    })
  )
  return core === undefined ? [row({ name, value: 1000 / ours!, unit: "images/s" }), ...beside] : beside
}
