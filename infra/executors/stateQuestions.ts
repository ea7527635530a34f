/** What a job asks its parent, which has the key: to sign a state, or whether one is to be gone on from. */
import { Effect } from "effect"
import { KeyUnavailable, type Signature } from "../../lib/storage/Signature.ts"
import type { JobRequest } from "../../lib/workflow/Executor.ts"
import * as Fold from "../../lib/workflow/Fold.ts"
import * as ResumePoint from "../../lib/workflow/ResumePoint.ts"
import type { StateClaim, StateSeals } from "../../lib/workflow/StateSeals.ts"

export type StateQuestion =
  | { readonly _tag: "Seal"; readonly claim: StateClaim }
  | { readonly _tag: "Doubt"; readonly claim: StateClaim; readonly signature: Signature }

export type StateAnswer =
  | { readonly _tag: "Sealed"; readonly signature: Signature }
  | { readonly _tag: "Unsealed"; readonly file: string; readonly reason: string }
  | { readonly _tag: "Doubted"; readonly doubt?: string }

type Asking = Pick<JobRequest, "foldOrigin" | "jobKey">

/** A job has a state of its own, and states of folds, where its run writes. */
const isOfJob = ({ scope, stem }: StateClaim, { foldOrigin, jobKey }: Asking): boolean =>
  scope === foldOrigin.scope &&
  (stem === ResumePoint.stemOf({ scope, jobKey }).stem || stem.startsWith(Fold.folderOf(scope)))

/** The parent's side. */
export const answerTo = (
  question: StateQuestion,
  seals: StateSeals["Service"],
  request: Asking
): Effect.Effect<StateAnswer> => {
  if (question._tag === "Doubt") {
    return Effect.map(seals.doubt(question.claim, question.signature), (doubt) => ({
      _tag: "Doubted",
      ...(doubt !== undefined && { doubt })
    }))
  }
  if (!isOfJob(question.claim, request)) {
    const reason = "it is asked to sign what is no state of the job that runs"
    return Effect.succeed({ _tag: "Unsealed", file: question.claim.stem, reason })
  }
  return seals.seal(question.claim).pipe(
    Effect.map((signature): StateAnswer => ({ _tag: "Sealed", signature })),
    Effect.catchTag("KeyUnavailable", ({ file, reason }) =>
      Effect.succeed<StateAnswer>({ _tag: "Unsealed", file, reason })
    )
  )
}

export interface AskedParent {
  readonly seals: StateSeals["Service"]
  readonly onAnswer: (id: number, answer: StateAnswer) => void
}

/** The child's side. `send` tells the parent a question with its number. */
export const askParent = (send: (id: number, question: StateQuestion) => void): AskedParent => {
  const waiting = new Map<number, (answer: StateAnswer) => void>()
  let numAsked = 0
  const ask = (question: StateQuestion): Effect.Effect<StateAnswer> =>
    Effect.promise(
      () =>
        new Promise((resolve) => {
          numAsked += 1
          waiting.set(numAsked, resolve)
          send(numAsked, question)
        })
    )
  return {
    onAnswer: (id, answer) => {
      waiting.get(id)?.(answer)
      waiting.delete(id)
    },
    seals: {
      seal: (claim) =>
        Effect.flatMap(ask({ _tag: "Seal", claim }), (answer) => {
          if (answer._tag === "Sealed") return Effect.succeed(answer.signature)
          const { file, reason } = answer._tag === "Unsealed" ? answer : { file: "", reason: "no answer" }
          return Effect.fail(new KeyUnavailable({ file, reason }))
        }),
      doubt: (claim, signature) =>
        Effect.map(ask({ _tag: "Doubt", claim, signature }), (answer) =>
          answer._tag === "Doubted" ? answer.doubt : "nobody can say who signed it"
        )
    }
  }
}
