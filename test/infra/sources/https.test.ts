/** Downloads where a company lets nothing out but through its proxy. */
import { readFileSync } from "node:fs"
import { createServer } from "node:https"
import type { AddressInfo } from "node:net"
import { getCACertificates, setDefaultCACertificates } from "node:tls"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { afterAll, beforeAll } from "vitest"
import { readHttps } from "../../../infra/sources/https.ts"
import { type ForwardProxyOptions, startForwardProxy } from "../../support/forwardProxy.ts"
import { authority, certificate } from "../../support/secureVersitygw.ts"

const host = "s3.us-east-1.amazonaws.com"
const content = Buffer.from("what was asked for")

const trusted = getCACertificates("default")
beforeAll(() => setDefaultCACertificates([...trusted, readFileSync(authority, "utf8")]))
afterAll(() => setDefaultCACertificates(trusted))

/** Leads from `/moved` to `/file`. */
const server = Effect.acquireRelease(
  Effect.promise(async () => {
    const started = createServer(certificate, ({ url }, response) => {
      if (url === "/file") response.end(content)
      else response.writeHead(302, { location: "/file" }).end()
    })
    await new Promise<void>((resolve) => started.listen(0, "127.0.0.1", resolve))
    return started
  }),
  (started) =>
    Effect.sync(() => {
      started.closeAllConnections()
      started.close()
    })
)

const proxied = Effect.fnUntraced(function* (options: Partial<ForwardProxyOptions>) {
  const { port } = (yield* server).address() as AddressInfo
  const names = { [`${host}:443`]: `127.0.0.1:${port}` }
  return yield* Effect.acquireRelease(
    Effect.promise(() => startForwardProxy({ names, ...options })),
    (proxy) => Effect.sync(() => proxy.close())
  )
})

const read = (path: string, environment: { readonly [name: string]: string }) =>
  readHttps(`https://${host}${path}`, {
    idleTimeoutMillis: 5_000,
    retries: 0,
    maxBytes: 1_000,
    environment,
    onProgress: () => {}
  })

const whyNot = (environment: { readonly [name: string]: string }) =>
  Effect.map(Effect.flip(read("/file", environment)), ({ message }) => message)

describe("a download", () => {
  it.live("goes through the proxy of the environment, with its user and password, redirected or not", () =>
    Effect.gen(function* () {
      const { passed, port } = yield* proxied({ login: "me:p@ss" })
      const environment = { https_proxy: `me:p%40ss@127.0.0.1:${port}` }
      assert.deepStrictEqual(Buffer.from(yield* read("/file", environment)), content)
      assert.deepStrictEqual(Buffer.from(yield* read("/moved", environment)), content)
      assert.isAtLeast(passed.length, 2)
      assert.deepStrictEqual([...new Set(passed)], [`CONNECT ${host}:443`])
    })
  )

  it.live("that a proxy refuses, or that has none to be asked, names the proxy and its variable", () =>
    Effect.gen(function* () {
      const { port } = yield* proxied({ login: "me:secret" })
      const said = `through the proxy http://127.0.0.1:${port} of HTTPS_PROXY`
      const refused = yield* whyNot({ HTTPS_PROXY: `http://me:wrong@127.0.0.1:${port}` })
      assert.include(refused, said)
      assert.include(refused, "407")
      assert.notInclude(refused, "wrong")
      assert.include(yield* whyNot({ HTTPS_PROXY: "http://127.0.0.1:9" }), "ECONNREFUSED")
      assert.match(
        yield* whyNot({ HTTPS_PROXY: "socks5://x" }),
        /HTTPS_PROXY names a proxy of the kind socks5/
      )
    })
  )

  it.live("asks no proxy for what NO_PROXY names", () =>
    Effect.gen(function* () {
      const { passed, port } = yield* proxied({})
      const environment = { HTTPS_PROXY: `http://127.0.0.1:${port}`, NO_PROXY: ".amazonaws.com" }
      assert.notInclude(yield* whyNot(environment), "proxy")
      assert.deepStrictEqual(passed, [])
    })
  )
})
