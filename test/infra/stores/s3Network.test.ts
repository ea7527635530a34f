/** A store on S3 as companies have it: behind proxies, and TLS with an authority of their own. */
import { createHash, randomBytes } from "node:crypto"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { createServer } from "node:https"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { s3ObjectStoreLayer } from "../../../infra/stores/S3ObjectStore.ts"
import { networkWords } from "../../../infra/stores/s3Probe.ts"
import type { S3Addressing } from "../../../infra/stores/storePlace.ts"
import { ObjectStore } from "../../../lib/storage/ObjectStore.ts"
import { type ForwardProxyOptions, startForwardProxy } from "../../support/forwardProxy.ts"
import { keys } from "../../support/s3Process.ts"
import { authority, certificate, startSecureVersitygw } from "../../support/secureVersitygw.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"
import { skipNote, startVersitygw, versitygwMissing } from "../../support/versitygw.ts"
import { withEnvironment } from "../../support/withEnvironment.ts"

const amazon = "s3.us-east-1.amazonaws.com"
const plain = versitygwMissing ? undefined : await startVersitygw()
const secure = versitygwMissing ? undefined : await startSecureVersitygw(amazon)
const bucket = "artifacts"
const hostOf = (url = "http://unused:1"): string => new URL(url).host

/** What only the proxy can find. */
const names = {
  "s3.test:9000": hostOf(plain?.url),
  [`${amazon}:443`]: hostOf(secure?.url),
  [`${bucket}.${amazon}:443`]: hostOf(secure?.url)
}

const bare = {
  AWS_ACCESS_KEY_ID: keys.id,
  AWS_SECRET_ACCESS_KEY: keys.secret,
  AWS_REGION: "us-east-1",
  AWS_ENDPOINT_URL: undefined,
  AWS_CA_BUNDLE: undefined,
  AWS_CONFIG_FILE: "/dev/null",
  ...Object.fromEntries(
    ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"].flatMap((name) => [
      [name, undefined],
      [name.toLowerCase(), undefined]
    ])
  )
}

let numPrefixes = 0
const openBy = (addressing?: S3Addressing) =>
  Effect.suspend(() => {
    const place = { kind: "s3", bucket, prefix: `network/${numPrefixes++}`, addressing } as const
    return Effect.provide(ObjectStore, s3ObjectStoreLayer({ place, checked: true }))
  })
const open = openBy()
const whyNot = Effect.map(Effect.flip(open), ({ message }) => message)

const proxied = (options: Partial<ForwardProxyOptions>) =>
  Effect.acquireRelease(
    Effect.promise(() => startForwardProxy({ names, ...options })),
    (proxy) => Effect.sync(() => proxy.close())
  )

const file = (name: string, text: string) => {
  const path = join(temporaryFolder(), name)
  writeFileSync(path, text)
  return path
}

type Variables = Parameters<typeof withEnvironment>[0]

/** Amazon's for single sign-on: who shows a token is given credentials of a session. */
const loginPortal = Effect.acquireRelease(
  Effect.promise(async () => {
    const tokens: Array<unknown> = []
    const roleCredentials = {
      accessKeyId: keys.id,
      secretAccessKey: keys.secret,
      sessionToken: "session",
      expiration: Date.now() + 3_600_000
    }
    const server = createServer(certificate, ({ headers }, response) => {
      tokens.push(headers["x-amz-sso_bearer_token"])
      response.setHeader("content-type", "application/json").end(JSON.stringify({ roleCredentials }))
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const { port } = server.address() as { readonly port: number }
    return { server, port, tokens }
  }),
  ({ server }) =>
    Effect.sync(() => {
      server.closeAllConnections()
      server.close()
    })
)

/** Everything a run does: large and small, many at once. */
const useStore = Effect.gen(function* () {
  const store = yield* open
  for (const sizeBytes of [0, 200_000, 17_000_000]) {
    const bytes = new Uint8Array(randomBytes(sizeBytes))
    yield* store.put(`k${sizeBytes}`, bytes)
    assert.strictEqual((yield* store.head(`k${sizeBytes}`)).sizeBytes, sizeBytes)
    assert.strictEqual(Buffer.compare(yield* store.get(`k${sizeBytes}`), bytes), 0)
  }
  assert.strictEqual((yield* Effect.flip(store.get("none")))._tag, "ObjectNotFound")
  const many = Array.from({ length: 24 }, () => store.get("k200000", 200_000))
  for (const bytes of yield* Effect.all(many, { concurrency: "unbounded" })) {
    assert.strictEqual(bytes.length, 200_000)
  }
  assert.lengthOf(yield* Stream.runCollect(store.list("k")), 3)
})

/** Of the SDK's requests for objects, which say whose they are: the first shows the way. */
const ofSdk = (asked: ReadonlyArray<string>) => asked.filter((one) => one.includes("x-id="))

const login = "some one:p@ss"
const loginUrl = "some%20one:p%40ss@127.0.0.1"
const overPlain = { ...bare, AWS_ENDPOINT_URL: "http://s3.test:9000" }

describe.skipIf(versitygwMissing)(`a store on S3 behind a proxy${skipNote}`, () => {
  it.live("that wants a password is asked for whole addresses where there is no TLS", () =>
    Effect.gen(function* () {
      const { passed, port } = yield* proxied({ login })
      const variables = { ...overPlain, HTTP_PROXY: `http://${loginUrl}:${port}` }
      yield* withEnvironment(variables)(useStore)
      assert.isTrue(passed.every((one) => /^[A-Z]+ http:\/\/s3\.test:9000\/artifacts\//.test(one)))
      assert.isAbove(passed.length, 30)
      assert.lengthOf(ofSdk(passed), 1)
    }).pipe(Effect.scoped)
  )

  it.live("is reached by tunnels under Amazon's own names, with an authority of AWS_CA_BUNDLE", () =>
    Effect.gen(function* () {
      const { passed, port } = yield* proxied({ login })
      const variables = { ...bare, AWS_CA_BUNDLE: authority, https_proxy: `${loginUrl}:${port}` }
      yield* withEnvironment(variables)(useStore)
      assert.deepStrictEqual([...new Set(passed)], [`CONNECT ${bucket}.${amazon}:443`])
      const asked = secure!.asked()
      assert.isAbove(asked.length, 30)
      assert.lengthOf(ofSdk(asked), 1)
      assert.isTrue(
        asked.every((one) => one.includes(` AuthHeader ${amazon} `) && one.includes(`:::/${bucket}`))
      )
    }).pipe(Effect.scoped)
  )

  it.live("is reached without one where NO_PROXY says so", () =>
    Effect.gen(function* () {
      const { passed, port } = yield* proxied({})
      const host = secure!.url.replace("127.0.0.1", "localhost")
      yield* open.pipe(
        withEnvironment({
          ...bare,
          AWS_ENDPOINT_URL: host,
          AWS_CA_BUNDLE: authority,
          HTTPS_PROXY: `http://127.0.0.1:${port}`
        })
      )
      assert.lengthOf(passed, 0)
    }).pipe(Effect.scoped)
  )
})

describe.skipIf(versitygwMissing)(`a bucket${skipNote}`, () => {
  it.live("is named to its server in the host or the path, as is asked for", () =>
    Effect.gen(function* () {
      const { passed, port } = yield* proxied({})
      const trusted = { ...bare, AWS_CA_BUNDLE: authority, HTTPS_PROXY: `http://127.0.0.1:${port}` }
      const custom = { ...trusted, AWS_ENDPOINT_URL: `https://${amazon}` }
      const profile = file("config", "[default]\ns3 =\n  addressing_style = virtual\n")
      const [inHost, inPath] = [`CONNECT ${bucket}.${amazon}:443`, `CONNECT ${amazon}:443`]
      const asked = (variables: Variables, addressing?: S3Addressing) =>
        Effect.map(withEnvironment(variables)(openBy(addressing)), () => [...new Set(passed.splice(0))])
      assert.deepStrictEqual(yield* asked(trusted, "path"), [inPath])
      assert.deepStrictEqual(yield* asked(custom), [inPath])
      assert.deepStrictEqual(yield* asked(custom, "virtual"), [inHost])
      const byProfile = { ...custom, AWS_CONFIG_FILE: profile }
      assert.deepStrictEqual(yield* asked(byProfile), [inHost])
      const words = yield* withEnvironment(byProfile)(
        Effect.promise(() => networkWords({ kind: "s3", bucket, prefix: "" }))
      )
      const proxy = `http://127.0.0.1:${port} (HTTPS_PROXY)`
      const trust = `trusted are Node's authorities and ${authority} (AWS_CA_BUNDLE)`
      assert.strictEqual(
        words,
        `https://${amazon} through ${proxy}; ${trust}; the bucket is named in the host`
      )
    }).pipe(Effect.scoped)
  )

  it.live("is asked for as whom single sign-on says, who is reached in the same way", () =>
    Effect.gen(function* () {
      const home = temporaryFolder()
      const start = "https://company.awsapps.com/start"
      const sso = ["sso_region = us-east-1", "sso_account_id = 1", "sso_role_name = trainer"]
      const config = file("sso", ["[default]", `sso_start_url = ${start}`, ...sso, ""].join("\n"))
      const cache = join(home, ".aws", "sso", "cache")
      mkdirSync(cache, { recursive: true })
      const token = { accessToken: "a token", expiresAt: "2100-01-01T00:00:00Z", region: "us-east-1" }
      const name = createHash("sha1").update(start).digest("hex")
      writeFileSync(join(cache, `${name}.json`), JSON.stringify({ ...token, startUrl: start }))
      const portal = yield* loginPortal
      const host = "portal.sso.us-east-1.amazonaws.com:443"
      const { passed, port } = yield* proxied({ names: { ...names, [host]: `127.0.0.1:${portal.port}` } })
      const anybody = { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined, HOME: home }
      const files = { AWS_CONFIG_FILE: config, AWS_SHARED_CREDENTIALS_FILE: "/dev/null" }
      const network = { AWS_CA_BUNDLE: authority, HTTPS_PROXY: `http://127.0.0.1:${port}` }
      // versitygw has no sessions: it says that it does not know this one.
      const text = yield* withEnvironment({ ...bare, ...anybody, ...files, ...network })(whyNot)
      assert.match(text, /the session token is not valid/)
      assert.deepStrictEqual(portal.tokens, ["a token"])
      assert.strictEqual(passed[0], `CONNECT ${host}`)
    }).pipe(Effect.scoped)
  )
})

describe("a proxy that lets nobody through is named with its variable, and its password is not,", () => {
  const why = (variables: { readonly [name: string]: string }) =>
    Effect.map(withEnvironment({ ...bare, ...variables })(whyNot), (text) => {
      assert.notMatch(text, /p%40ss|p@ss/)
      return text
    })

  it.live("where it wants a user and password", () =>
    Effect.gen(function* () {
      const { port } = yield* proxied({ login: "other:one" })
      const proxy = `http://${loginUrl}:${port}`
      const words = (name: string) =>
        new RegExp(
          `the proxy http://127\\.0\\.0\\.1:${port} wants a user and password.*; let ${name} be http`
        )
      assert.match(yield* why({ HTTPS_PROXY: proxy }), words("HTTPS_PROXY"))
      assert.match(
        yield* why({ AWS_ENDPOINT_URL: "http://s3.test:9000", http_proxy: proxy }),
        words("http_proxy")
      )
    }).pipe(Effect.scoped)
  )

  it.live("where it refuses, or finds no server", () =>
    Effect.gen(function* () {
      const { port } = yield* proxied({ status: 403 })
      const refusal = yield* why({ HTTPS_PROXY: `http://${loginUrl}:${port}` })
      assert.match(refusal, /does not connect to Amazon S3 \(HTTP 403\); is HTTPS_PROXY right, .*NO_PROXY/)
      const other = yield* proxied({ names: {} })
      const lost = yield* why({ HTTPS_PROXY: `http://${loginUrl}:${other.port}` })
      assert.match(lost, /does not connect to Amazon S3 \(HTTP 502\)/)
    }).pipe(Effect.scoped)
  )

  it.live("where nobody listens", () =>
    Effect.gen(function* () {
      const { close, port } = yield* proxied({})
      close()
      const text = yield* why({ HTTPS_PROXY: `http://${loginUrl}:${port}` })
      assert.match(
        text,
        /the proxy http:\/\/127\.0\.0\.1:\d+ does not answer \(ECONNREFUSED\); is HTTPS_PROXY right/
      )
    }).pipe(Effect.scoped)
  )

  it.effect("where it is none", () =>
    Effect.gen(function* () {
      const socks = yield* why({ HTTPS_PROXY: "socks5://me:p@ss@proxy:1080" })
      assert.match(socks, /HTTPS_PROXY names a proxy of the kind socks5:\/\/; let it be http:\/\/host:port/)
      assert.match(
        yield* why({ https_proxy: "http://me:p@ss#1@proxy:80" }),
        /https_proxy names no proxy \(.*%23/
      )
    })
  )
})

describe("a bundle of certificates", () => {
  const why = (path: string) => withEnvironment({ ...bare, AWS_CA_BUNDLE: path })(whyNot)

  it.effect("that is missing, or none, is said so with the variable", () =>
    Effect.gen(function* () {
      assert.match(
        yield* why("/nowhere/ca.pem"),
        /AWS_CA_BUNDLE names \/nowhere\/ca\.pem, which cannot be read \(ENOENT\)/
      )
      assert.match(
        yield* why(file("a.pem", "garbage")),
        /AWS_CA_BUNDLE names .*a\.pem, which holds no certificate/
      )
      const damaged = readFileSync(authority, "utf8").replace(/\nM/, "\nN")
      assert.match(yield* why(file("b.pem", damaged)), /holds a certificate that is damaged/)
    })
  )

  it.live.skipIf(versitygwMissing)("may be named by the profile", () =>
    Effect.gen(function* () {
      const lines = [`aws_access_key_id = ${keys.id}`, `aws_secret_access_key = ${keys.secret}`]
      const profiles = file("config", ["[profile work]", `ca_bundle = ${authority}`, ...lines, ""].join("\n"))
      const files = { AWS_CONFIG_FILE: profiles, AWS_SHARED_CREDENTIALS_FILE: "/dev/null" }
      const variables = { ...bare, ...files, AWS_ENDPOINT_URL: secure!.url }
      const untrusted = yield* withEnvironment(variables)(whyNot)
      assert.match(untrusted, /certificate is not trusted .*AWS_CA_BUNDLE or NODE_EXTRA_CA_CERTS/)
      yield* withEnvironment({ ...variables, AWS_PROFILE: "work", AWS_ACCESS_KEY_ID: undefined })(open)
    })
  )
})
