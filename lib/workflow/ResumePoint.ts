/** The private state of one job: where it goes on from after a stop or a kill, until it is published. */
import { type Digest, hexOf } from "../storage/Digest.ts"
import type { Scope } from "../storage/Signature.ts"
import * as PrivateState from "./PrivateState.ts"

export interface StatePlace {
  /** Where the run writes: a state that another scope's writers left is never gone on from. */
  readonly scope: Scope
  readonly jobKey: Digest
}

/** Also by which the parent knows what it signs for a job. */
export const stemOf = ({ jobKey, scope }: StatePlace): PrivateState.StateStem => ({
  scope,
  stem: `resume/${scope}/${hexOf(jobKey)}/`
})

/** `onlyOf`: the run that must have saved it. */
export const load = (place: StatePlace, onlyOf?: string) => PrivateState.load(stemOf(place), onlyOf)

export const save = (place: StatePlace, runId: string, bytes: Uint8Array) =>
  PrivateState.save(stemOf(place), { job: place.jobKey, runId }, bytes)

export const clear = (place: StatePlace) => PrivateState.clear(stemOf(place))
