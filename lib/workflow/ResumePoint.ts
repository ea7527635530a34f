/** The private state of one job: where it goes on from after a stop or a kill, until it is published. */
import { Effect, Option } from "effect"
import { type Digest, hexOf } from "../storage/Digest.ts"
import type { Scope } from "../storage/Signature.ts"
import * as PrivateState from "./PrivateState.ts"

export interface StatePlace {
  /** Where the run writes: a state that another scope's writers left is never gone on from. */
  readonly scope: Scope
  readonly jobKey: Digest
}

const stemOf = ({ jobKey, scope }: StatePlace): string => `resume/${scope}/${hexOf(jobKey)}/`

export const load = (place: StatePlace) => PrivateState.load(stemOf(place))

/** The run that saved the state last. */
export const savedBy = (place: StatePlace) =>
  Effect.map(
    PrivateState.pointerAt(stemOf(place)),
    Option.map(({ runId }) => runId)
  )

export const save = (place: StatePlace, runId: string, bytes: Uint8Array) =>
  PrivateState.save(stemOf(place), { job: place.jobKey, runId }, bytes)

export const clear = (place: StatePlace) => PrivateState.clear(stemOf(place))
