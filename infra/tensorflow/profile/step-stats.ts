/**
 * TensorFlow's own account of a run: the few fields of `RunMetadata` that say which node ran when, read from
 * protobuf's wire format (`tensorflow/core/framework/step_stats.proto`).
 */

/** One execution of one node. */
export interface NodeTime {
  /** The node's name in the graph that ran; TensorFlow's optimizer adds and renames some. */
  readonly node: string
  readonly operation: string
  /** The CPU or GPU it ran on, as TensorFlow names it. */
  readonly device: string
  /** A number of TensorFlow's for the thread. */
  readonly thread: number
  /** Microseconds since the first node began. */
  readonly startMicros: number
  readonly durationMicros: number
}

/** What ran, in the order in which it began. */
export const nodeTimes = (runMetadata: Uint8Array): ReadonlyArray<NodeTime> => {
  const times = [...fieldsOf(runMetadata)]
    .filter(({ number }) => number === RUN_METADATA.stepStats)
    .flatMap(({ bytes }) => [...fieldsOf(bytes)])
    .filter(({ number }) => number === STEP_STATS.devStats)
    .flatMap(({ bytes }) => deviceTimes(bytes))
    .sort((a, b) => a.startMicros - b.startMicros)
  const began = times[0]?.startMicros ?? 0
  return times.map((time) => ({ ...time, startMicros: time.startMicros - began }))
}

const deviceTimes = (bytes: Uint8Array): ReadonlyArray<NodeTime> => {
  let device = ""
  const nodes: Array<Uint8Array> = []
  for (const field of fieldsOf(bytes)) {
    if (field.number === DEVICE_STATS.device) device = text(field.bytes)
    if (field.number === DEVICE_STATS.nodeStats) nodes.push(field.bytes)
  }
  return nodes.map((node) => nodeTime(node, device))
}

const nodeTime = (bytes: Uint8Array, device: string): NodeTime => {
  const fields = [...fieldsOf(bytes)]
  const integer = (wanted: number) => fields.find(({ number }) => number === wanted)?.integer ?? 0
  const string = (wanted: number) =>
    text(fields.find(({ number }) => number === wanted)?.bytes ?? new Uint8Array(0))
  const label = string(NODE_STATS.timelineLabel)
  const began = integer(NODE_STATS.opStartRelNanos)
  return {
    node: string(NODE_STATS.nodeName),
    // "name = Operation(inputs)"
    operation: /= (\w+)\(/.exec(label)?.[1] ?? label,
    device,
    thread: integer(NODE_STATS.threadId),
    startMicros: integer(NODE_STATS.allStartMicros) + began / 1000,
    durationMicros: (integer(NODE_STATS.opEndRelNanos) - began) / 1000
  }
}

const RUN_METADATA = { stepStats: 1 }
const STEP_STATS = { devStats: 1 }
const DEVICE_STATS = { device: 1, nodeStats: 2 }
const NODE_STATS = {
  nodeName: 1,
  allStartMicros: 2,
  timelineLabel: 8,
  threadId: 10,
  opStartRelNanos: 14,
  opEndRelNanos: 15
}

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

interface Field {
  readonly number: number
  /** Of a varint, exact up to 2^53; 0 for other fields. */
  readonly integer: number
  /** Of a string or a message; empty for other fields. */
  readonly bytes: Uint8Array
}

const nothing = new Uint8Array(0)

/** The fields of one message. Throws on bytes that are no protobuf. */
export const fieldsOf = function* (message: Uint8Array): Generator<Field> {
  let at = 0
  const varint = (): number => {
    let value = 0
    for (let factor = 1; at < message.length; factor *= 128) {
      const byte = message[at] as number
      at += 1
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value
    }
    throw new Error("the account of the run breaks off within a number")
  }
  while (at < message.length) {
    const key = varint()
    const [number, wire] = [Math.floor(key / 8), key % 8]
    if (wire === WIRE.varint) {
      yield { number, integer: varint(), bytes: nothing }
      continue
    }
    const fixed = wire === WIRE.fixed64 ? 8 : wire === WIRE.fixed32 ? 4 : undefined
    const length = fixed ?? (wire === WIRE.delimited ? varint() : Number.NaN)
    if (!(at + length <= message.length)) throw new Error("the account of the run is not what it should be")
    yield { number, integer: 0, bytes: message.subarray(at, at + length) }
    at += length
  }
}

const WIRE = { varint: 0, fixed64: 1, delimited: 2, fixed32: 5 }
