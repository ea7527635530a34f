import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect } from "effect"
import { read } from "../../infra/settings.ts"
import type { Scope } from "../../lib/storage/Signature.ts"

const readFrom = (env: Record<string, string>) =>
  Effect.provide(read, ConfigProvider.layer(ConfigProvider.fromEnv({ env })))

describe("settings from the environment", () => {
  it.effect.each([
    [{}, { kind: "folder", folder: join(process.cwd(), ".distillery", "store") }],
    [{ DISTILLERY_STORE: "" }, { kind: "folder", folder: join(process.cwd(), ".distillery", "store") }],
    [{ DISTILLERY_STORE: "s3://bucket/prefix" }, { kind: "s3", bucket: "bucket", prefix: "prefix" }]
  ] as const)("%j", ([env, store]) =>
    Effect.gen(function* () {
      assert.deepStrictEqual((yield* readFrom(env)).store, store)
    })
  )

  it.effect("how a bucket's server encrypts is asked for in its own words", () =>
    Effect.gen(function* () {
      const from = (env: Record<string, string>) =>
        Effect.map(readFrom({ DISTILLERY_STORE: "s3://bucket", ...env }), ({ store }) =>
          store.kind === "s3" ? store.encryption : undefined
        )
      assert.isUndefined(yield* from({ DISTILLERY_S3_SSE: "" }))
      const kmsKeyId = "alias/artifacts"
      const named = { DISTILLERY_S3_SSE_KMS_KEY_ID: kmsKeyId }
      assert.deepStrictEqual(yield* from({ DISTILLERY_S3_SSE: "AES256" }), {
        kind: "AES256",
        kmsKeyId: undefined
      })
      assert.deepStrictEqual(yield* from(named), { kind: "aws:kms", kmsKeyId })
      assert.deepStrictEqual(yield* from({ ...named, DISTILLERY_S3_SSE: "aws:kms:dsse" }), {
        kind: "aws:kms:dsse",
        kmsKeyId
      })
      for (const wrong of [{ DISTILLERY_S3_SSE: "yes" }, { ...named, DISTILLERY_S3_SSE: "AES256" }]) {
        assert.match((yield* Effect.flip(from(wrong))).message, /DISTILLERY_S3_SSE\S* is wrong: /)
      }
    })
  )

  it.effect("buckets are named in the path or the host where that is asked for", () =>
    Effect.gen(function* () {
      const from = (env: Record<string, string>) =>
        Effect.map(readFrom({ DISTILLERY_STORE: "s3://bucket", ...env }), ({ store }) =>
          store.kind === "s3" ? store.addressing : undefined
        )
      assert.isUndefined(yield* from({}))
      assert.isUndefined(yield* from({ DISTILLERY_S3_ADDRESSING: "auto" }))
      assert.strictEqual(yield* from({ DISTILLERY_S3_ADDRESSING: "virtual" }), "virtual")
      const { message } = yield* Effect.flip(from({ DISTILLERY_S3_ADDRESSING: "host" }))
      assert.match(message, /DISTILLERY_S3_ADDRESSING is wrong: "host" is none of auto, path, virtual/)
    })
  )

  it.effect("a lease lasts half a minute, or 1 to 3600 s", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* readFrom({})).leaseSeconds, 30)
      assert.strictEqual((yield* readFrom({ DISTILLERY_LEASE_SECONDS: "3600" })).leaseSeconds, 3600)
      const error = yield* Effect.flip(readFrom({ DISTILLERY_LEASE_SECONDS: "0" }))
      assert.match(error.message, /^The environment variable DISTILLERY_LEASE_SECONDS is wrong: "0" is no/)
    })
  )

  it.effect("a wrong address is refused by the variable's name, without the password in it", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(readFrom({ DISTILLERY_STORE: "s3://key:secret@bucket/prefix" }))
      assert.match(error.message, /^The environment variable DISTILLERY_STORE is wrong: credentials/)
      assert.notInclude(error.message, "secret")
    })
  )

  it.effect("results are written into main and believed from there, unless told otherwise", () =>
    Effect.gen(function* () {
      const signing = (env: Record<string, string>) =>
        Effect.map(readFrom({ XDG_CONFIG_HOME: "/c", ...env }), ({ signing }) => signing)
      const none = { folder: "/c/distillery", secret: undefined, trustKeys: [] }
      const main = { ...none, scope: "main", trustScopes: ["main"] }
      assert.deepStrictEqual(yield* signing({}), main as never)
      const pr = { ...none, scope: "pr/7", trustScopes: ["pr/7", "main"] }
      assert.deepStrictEqual(yield* signing({ DISTILLERY_SCOPE: "pr/7" }), pr as never)
      const key = `ed25519:${"A".repeat(43)}`
      assert.deepStrictEqual(
        yield* signing({
          DISTILLERY_KEY: "k",
          DISTILLERY_TRUST_SCOPES: "user/ann, main",
          DISTILLERY_TRUST_KEYS: `${key}@main, ${key}`
        }),
        {
          ...main,
          secret: "k",
          trustScopes: ["user/ann", "main"],
          trustKeys: [
            { keyId: key, scopes: ["main"], name: "" },
            { keyId: key, scopes: ["*"], name: "" }
          ]
        } as never
      )
    })
  )

  it.effect.each([
    [{ GITHUB_REF: "refs/pull/7/merge", GITHUB_HEAD_REF: "fix" }, "main"],
    [{ GITHUB_ACTIONS: "true", GITHUB_REF: "refs/pull/7/merge", GITHUB_HEAD_REF: "fix" }, "pr/7"],
    [{ GITHUB_ACTIONS: "true", GITHUB_REF: "refs/heads/main" }, "main"],
    [{ GITHUB_ACTIONS: "true", GITHUB_REF: "refs/heads/refs/pull/7/merge" }, "main"],
    [{ GITHUB_ACTIONS: "true", GITHUB_REF: "refs/pull/7/merge", DISTILLERY_SCOPE: "user/ci" }, "user/ci"]
  ] as const)("%j: results are written into %s", ([env, scope]) =>
    Effect.gen(function* () {
      assert.strictEqual((yield* readFrom(env)).signing.scope, scope as Scope)
    })
  )

  it.effect("a workflow that goes by its base while it runs a pull request has to say for which", () =>
    Effect.gen(function* () {
      const env = { GITHUB_ACTIONS: "true", GITHUB_REF: "refs/heads/main", GITHUB_HEAD_REF: "fix" }
      const { message } = yield* Effect.flip(readFrom(env))
      assert.include(message, `set DISTILLERY_SCOPE, in the workflow as pr/\${{ github.event.number }}`)
      const told = yield* readFrom({ ...env, DISTILLERY_SCOPE: "pr/9" })
      assert.deepStrictEqual(told.signing.trustScopes, ["pr/9", "main"] as never)
    })
  )

  it.effect.each([
    [
      "DISTILLERY_SCOPE",
      "release",
      /DISTILLERY_SCOPE is wrong: expected a scope: main, pr\/<name> or user\/<name>/
    ],
    ["DISTILLERY_BACKEND", "gpu", /DISTILLERY_BACKEND is wrong: "gpu" is none of auto, native, portable$/],
    ["DISTILLERY_KERNELS", "Own", /DISTILLERY_KERNELS is wrong: "Own" is none of own, stock$/],
    ["DISTILLERY_THREADS", "two", /DISTILLERY_THREADS is wrong: "two" is no whole number from 1 to 1024$/],
    ["DISTILLERY_THREADS", "1.5", /"1.5" is no whole number from 1 to 1024$/],
    ["DISTILLERY_THREADS", "1025", /"1025" is no whole number from 1 to 1024$/],
    [
      "DISTILLERY_CACHE_SIZE",
      "lots",
      /DISTILLERY_CACHE_SIZE is wrong: "lots" is not a size like 500MB or 20GB$/
    ],
    ["DISTILLERY_TRUST_SCOPES", "main,pr", /DISTILLERY_TRUST_SCOPES is wrong: "pr" is no scope/],
    ["DISTILLERY_TRUST_KEYS", "ann", /DISTILLERY_TRUST_KEYS is wrong: "ann" is no key/],
    [
      "DISTILLERY_TRUST_KEYS",
      `ed25519:${"A".repeat(43)}@pr`,
      /DISTILLERY_TRUST_KEYS is wrong: "ed25519:A+@pr" is no key, alone or as KEY@SCOPE/
    ]
  ] as const)("%s=%s is refused", ([name, value, message]) =>
    Effect.gen(function* () {
      assert.match((yield* Effect.flip(readFrom({ [name]: value }))).message, message)
    })
  )
})
