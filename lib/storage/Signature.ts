/**
 * Who vouches for a record, and whom a reader believes. A scope is a place of records with its own writers:
 * what a pull request's runner makes never stands where the main line's readers look.
 */
import { Context, type Effect, Schema } from "effect"

const scopePattern = /^(main|(pr|user)\/[A-Za-z0-9_=-][A-Za-z0-9._=-]{0,99})$/

export const Scope = Schema.String.check(
  Schema.isPattern(scopePattern, { expected: "a scope: main, pr/<name> or user/<name>" })
).pipe(Schema.brand("Scope"))
export type Scope = typeof Scope.Type

export const mainScope = "main" as Scope

/** A public key, whole: nothing else is needed to check what it signed. */
export const KeyId = Schema.String.check(
  Schema.isPattern(/^ed25519:[A-Za-z0-9_-]{43}$/, { expected: "a key: ed25519:<43 characters>" })
).pipe(Schema.brand("KeyId"))
export type KeyId = typeof KeyId.Type

export const Signature = Schema.Struct({
  keyId: KeyId,
  /** Base64url. */
  signature: Schema.String
})
export type Signature = typeof Signature.Type

/** The user's key can be neither read nor made, so nothing that this process makes would be believed. */
export class KeyUnavailable extends Schema.TaggedError<KeyUnavailable>()("KeyUnavailable", {
  file: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `The key that results are signed with cannot be used (${this.file}): ${this.reason}`
  }
}

export class Signer extends Context.Service<
  Signer,
  {
    /** Where this process writes. */
    readonly scope: Scope
    /** The first signature of a user makes their key. */
    readonly sign: (message: string) => Effect.Effect<Signature, KeyUnavailable>
    /** Fails where `sign` would: to be told before hours of work. */
    readonly ready: Effect.Effect<void, KeyUnavailable>
  }
>()("lib/storage/Signer") {}

export class Verifier extends Context.Service<
  Verifier,
  {
    /** Where this process reads, in the order in which it looks. */
    readonly scopes: ReadonlyArray<Scope>
    /** Whether what the key signed counts in this scope. */
    readonly trusts: (keyId: KeyId, scope: Scope) => boolean
    /** Whether the key signed exactly this message. */
    readonly signed: (signature: Signature, message: string) => boolean
    /** What a person does to have a key trusted: a sentence without its end. */
    readonly howToTrust: (keyId: KeyId, scope: Scope) => string
  }
>()("lib/storage/Verifier") {}
