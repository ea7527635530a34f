/** The program behind `child.ts`: runs jobs with all services that stages of ours ask for. */
import { Effect, Layer } from "effect"
import { runChild } from "../executors/child.ts"
import { stageServicesLayer } from "../layers.ts"
import { read } from "../settings.ts"
import { TrafficMeter } from "../stores/TrafficMeter.ts"

/** Goes to the tail of the job's log, which is shown when it fails. */
const note = (line: string): void => void process.stderr.write(`${line}\n`)

const meter = new TrafficMeter()

runChild(
  ({ pool }) =>
    Layer.unwrap(
      Effect.map(read, (settings) => stageServicesLayer({ settings, tensors: pool === "gpu", note, meter }))
    ),
  meter
)
