/** A key that all tests share, so that what one engine makes counts for the next. */
import { Layer } from "effect"
import { newSecret } from "../../infra/signing/ed25519.ts"
import { type SigningOptions, signingLayer } from "../../infra/signing/signing.ts"
import { mainScope } from "../../lib/storage/Signature.ts"
import { stateSealsLayer } from "../../lib/workflow/StateSeals.ts"

export const signingOptions: SigningOptions = {
  folder: "/dev/null",
  secret: newSecret(),
  scope: mainScope,
  trustScopes: [mainScope],
  trustKeys: []
}

export const testSigning = signingLayer(signingOptions)

/** By the same key. */
export const testSeals = Layer.provide(stateSealsLayer, testSigning)
