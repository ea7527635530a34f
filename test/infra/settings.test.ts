import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect } from "effect"
import { read } from "../../infra/settings.ts"

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

  it.effect("a wrong address is refused by the variable's name, without the password in it", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(readFrom({ DISTILLERY_STORE: "s3://key:secret@bucket/prefix" }))
      assert.match(error.message, /^The environment variable DISTILLERY_STORE is wrong: credentials/)
      assert.notInclude(error.message, "secret")
    })
  )
})
