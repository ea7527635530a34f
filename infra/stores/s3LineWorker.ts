/** The thread of `s3LineThread.ts`: asks what it is told, and tells what was answered. */
import { type MessagePort, parentPort, workerData } from "node:worker_threads"
import { UnknownForm } from "./s3Answer.ts"
import { Lines } from "./s3Lines.ts"
import { type Asked, type Cancelled, type Shared, slotIn, type Told } from "./s3LineThread.ts"
import { landingAt, placeIn } from "./s3Place.ts"

const port = parentPort as MessagePort
const { lines: options, slab } = workerData as Shared
const lines = new Lines(options)
const underWay = new Map<number, AbortController>()
const outbox: Array<Told> = []

const failureOf = (error: unknown): Told["failure"] => {
  const { code, message } = error as { readonly code?: string; readonly message: string }
  return { code, message, isUnknownForm: error instanceof UnknownForm }
}

const answerTo = async (asked: Asked, signal: AbortSignal): Promise<Told> => {
  const { id, method, origin, range, sentBytes, slot } = asked
  const bytes = slotIn(slab, slot)
  const pieces = [bytes.subarray(0, sentBytes)]
  const landing = range && landingAt(range.start, range.lengthBytesMax, placeIn(bytes, sentBytes))
  try {
    const { body, head } = await lines.ask({ method, origin, pieces, landing }, signal)
    const failure = landing?.error === undefined ? undefined : failureOf(landing.error)
    return { id, head, body: new Uint8Array(body), landedBytes: landing?.landed ?? 0, failure }
  } catch (error) {
    return { id, failure: failureOf(error) }
  }
}

const tell = (told: Told): void => {
  if (outbox.push(told) > 1) return
  setImmediate(() => port.postMessage(outbox.splice(0)))
}

const hear = (message: Asked | Cancelled): void => {
  if ("cancelled" in message) {
    underWay.get(message.cancelled)?.abort()
    return
  }
  const ending = new AbortController()
  underWay.set(message.id, ending)
  void answerTo(message, ending.signal).then((told) => {
    underWay.delete(told.id)
    tell(told)
  })
}

port.on("message", (all: ReadonlyArray<Asked | Cancelled>) => {
  for (const message of all) hear(message)
})
