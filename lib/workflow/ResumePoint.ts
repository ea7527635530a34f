/** The private state of one job: where it goes on from after a stop or a kill, until it is published. */
import { type Digest, hexOf } from "../storage/Digest.ts"
import * as PrivateState from "./PrivateState.ts"

const stemOf = (jobKey: Digest): string => `resume/${hexOf(jobKey)}/`

export const load = (jobKey: Digest) => PrivateState.load(stemOf(jobKey))

export const save = (jobKey: Digest, runId: string, bytes: Uint8Array) =>
  PrivateState.save(stemOf(jobKey), { job: jobKey, runId }, bytes)

export const clear = (jobKey: Digest) => PrivateState.clear(stemOf(jobKey))
