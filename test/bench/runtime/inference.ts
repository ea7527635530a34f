/** Forward passes of ours, ONNX Runtime and PyTorch in float32. */
import { type Row, row } from "../Row.ts"
import { startOurs, startPeer } from "./Contender.ts"
import { type Assignment, inferenceCases } from "./cases.ts"
import { measured } from "./inTurns.ts"
import type { MeasureOptions } from "./training.ts"

/** Milliseconds per image beside either peer; the goal is to be as fast as both. */
export const inferenceRows = async (options: MeasureOptions): Promise<ReadonlyArray<Row>> => {
  const { python, repeats, tell, threads, wanted } = options
  const rows: Array<Row> = []
  for (const [name, the] of Object.entries(inferenceCases).filter(([name]) => wanted(name))) {
    const assignment: Assignment = { what: "inference", case: the, precision: "float32", threads }
    const libraries = ["ONNX Runtime", "PyTorch"] as const
    const { timings, versions } = await measured(
      [
        () => startOurs({ assignment }),
        ...libraries.map((library) => () => startPeer(library, python, { assignment }))
      ],
      repeats
    )
    const [ours, ...theirs] = timings.map(({ wall }) => wall / the.batch)
    const more = libraries.map((library, index) =>
      row({
        name: `${name} inference, ${(1000 / ours!).toFixed(1)} images/s`,
        value: ours!,
        unit: "ms/image",
        goal: theirs[index]!,
        peer: `${library} ${versions[index + 1]}`,
        peerValue: theirs[index]!
      })
    )
    rows.push(...more)
    tell(more)
  }
  return rows
}
