/**
 * Who vouches for the private states of jobs: the parent process, which alone has a key, signs what a pointer
 * says, and says why one is not to be gone on from. A job asks it over the channel between them.
 */
import { Context, Effect, Layer } from "effect"
import type { Digest } from "../storage/Digest.ts"
import { type KeyUnavailable, type Scope, type Signature, Signer, Verifier } from "../storage/Signature.ts"
import { preImage } from "./Fingerprint.ts"

/** What is signed of a state: where it lies, whose it is, and what its bytes are. */
export interface StateClaim {
  readonly scope: Scope
  /** What the names of its objects begin with, in which the scope stands, too. */
  readonly stem: string
  readonly state: Digest
  readonly sizeBytes: number
  /** Key of the job that saved it first. */
  readonly job: Digest
  /** Run that saved it last. */
  readonly runId: string
}

export class StateSeals extends Context.Service<
  StateSeals,
  {
    readonly seal: (claim: StateClaim) => Effect.Effect<Signature, KeyUnavailable>
    /** Why nobody who is trusted there has said this; `undefined` where somebody has. */
    readonly doubt: (claim: StateClaim, signature: Signature) => Effect.Effect<string | undefined>
  }
>()("lib/workflow/StateSeals") {}

/** What is signed. */
export const stateMessage = ({ job, runId, scope, sizeBytes, state, stem }: StateClaim): string =>
  preImage("state/1", { scope, stem, state, sizeBytes, job, runId })

/** For a process that has the key. */
export const stateSealsLayer: Layer.Layer<StateSeals, never, Signer | Verifier> = Layer.effect(
  StateSeals,
  Effect.gen(function* () {
    const { sign } = yield* Signer
    const verifier = yield* Verifier
    return {
      seal: (claim) => sign(stateMessage(claim)),
      doubt: (claim, signature) =>
        Effect.sync(() => {
          const { keyId } = signature
          if (!verifier.trusts(keyId, claim.scope)) {
            const how = verifier.howToTrust(keyId, claim.scope)
            return `it is signed by a key that is not trusted; ${how}`
          }
          return verifier.signed(signature, stateMessage(claim))
            ? undefined
            : "it was changed after it was signed, or signed for another place"
        })
    }
  })
)
