/** Credentials that run out while a store is used, and buckets that are in another region. */
import { writeFileSync } from "node:fs"
import { createServer, type IncomingMessage } from "node:http"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { s3ObjectStoreLayer } from "../../../infra/stores/S3ObjectStore.ts"
import { ObjectStore } from "../../../lib/storage/ObjectStore.ts"
import { type CountingProxy, type Refusal, startCountingProxy } from "../../support/countingProxy.ts"
import { keys, type S3Program, versitygwProgram } from "../../support/s3Process.ts"
import { startS3Server } from "../../support/s3Server.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"
import { skipNote, versitygwMissing } from "../../support/versitygw.ts"
import { withEnvironment } from "../../support/withEnvironment.ts"

const iamFolder = temporaryFolder()
/** Who may use the server: one after another. */
const accounts = Array.from({ length: 6 }, (_, nth) => ({ access: `key-${nth}`, secret: `secret-of-${nth}` }))
const account = (access: string) => accounts.find((one) => one.access === access)!

const program: S3Program = {
  ...versitygwProgram,
  args: (address, root) => ["--iam-dir", iamFolder, ...versitygwProgram.args(address, root)]
}
const ids = { userID: 0, groupID: 0, projectID: 0 }
const accessAccounts = accounts.map((one) => [one.access, { ...one, role: "admin", ...ids }])
writeFileSync(
  join(iamFolder, "users.json"),
  JSON.stringify({ accessAccounts: Object.fromEntries(accessAccounts) })
)
const server = versitygwMissing ? undefined : await startS3Server(program)

const keyOf = ({ headers }: IncomingMessage): string =>
  /Credential=([^/]+)/.exec(String(headers.authorization))?.[1] ?? ""
const regionOf = ({ headers }: IncomingMessage): string => String(headers.authorization).split("/")[2] ?? ""

/** The server, which refuses as it is told. */
const fronted = (refusalOf: (incoming: IncomingMessage) => Refusal | undefined) =>
  Effect.acquireRelease(
    Effect.promise(() => startCountingProxy(server!.url, refusalOf)),
    ({ close }: CountingProxy) => Effect.sync(close)
  )

let numPrefixes = 0
const open = Effect.suspend(() => {
  const place = { kind: "s3", bucket: server!.bucket, prefix: `tries/${numPrefixes++}` } as const
  return Effect.provide(ObjectStore, s3ObjectStoreLayer({ place, checked: true }))
})

const bare = {
  AWS_ACCESS_KEY_ID: undefined,
  AWS_SECRET_ACCESS_KEY: undefined,
  AWS_SESSION_TOKEN: undefined,
  AWS_PROFILE: undefined,
  AWS_REGION: "us-east-1",
  AWS_CONFIG_FILE: "/dev/null",
  AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
  AWS_EC2_METADATA_DISABLED: "true"
}

/** Gives out one account for a second, and then another. Resolves to its address. */
const startLogin = Effect.acquireRelease(
  Effect.promise(async () => {
    let numGiven = 0
    const login = createServer((_, response) => {
      numGiven += 1
      const { access: AccessKeyId, secret: SecretAccessKey } = account(`key-${Math.min(numGiven, 2)}`)
      const validMillis = numGiven === 1 ? 1000 : 3_600_000
      const Expiration = new Date(Date.now() + validMillis).toISOString()
      response.end(JSON.stringify({ AccessKeyId, SecretAccessKey, Token: "", Expiration }))
    })
    await new Promise<void>((resolve) => login.listen(0, "127.0.0.1", resolve))
    return login
  }),
  (login) => Effect.sync(() => login.close())
).pipe(
  Effect.map((login) => `http://127.0.0.1:${(login.address() as { readonly port: number }).port}/credentials`)
)

const bytes = new Uint8Array(1000).fill(7)
const names = Array.from({ length: 24 }, (_, nth) => `k${nth}`)

describe.skipIf(server === undefined)(`credentials that run out${skipNote}`, () => {
  it.live("by the clock are fetched anew before the next request, past the SDK, too", () =>
    Effect.gen(function* () {
      const used: Array<string> = []
      const front = yield* fronted((incoming) => void used.push(keyOf(incoming)))
      const environment = {
        ...bare,
        AWS_ENDPOINT_URL: front.url,
        AWS_CONTAINER_CREDENTIALS_FULL_URI: yield* startLogin
      }
      yield* Effect.gen(function* () {
        const store = yield* open
        yield* store.put("k", bytes)
        yield* Effect.sleep("1100 millis")
        used.length = 0
        const many = Array.from({ length: 20 }, () => store.get("k"))
        yield* Effect.all(many, { concurrency: "unbounded" })
        yield* store.put("k", bytes)
      }).pipe(withEnvironment(environment))
      assert.deepStrictEqual([...new Set(used)], ["key-2"])
      assert.lengthOf(
        front.passed.filter((one) => one.includes("x-id=")),
        1
      )
    }).pipe(Effect.scoped)
  )

  it.live("by the server's word are fetched anew, for all that is under way", () =>
    Effect.gen(function* () {
      const withdrawn = new Set<string>()
      const folder = temporaryFolder()
      const give = (nth: number) => {
        const { access: AccessKeyId, secret: SecretAccessKey } = account(`key-${nth}`)
        writeFileSync(
          join(folder, "credentials"),
          JSON.stringify({ Version: 1, AccessKeyId, SecretAccessKey })
        )
      }
      writeFileSync(
        join(folder, "config"),
        `[default]\ncredential_process = cat ${join(folder, "credentials")}\n`
      )
      const front = yield* fronted((incoming) =>
        withdrawn.has(keyOf(incoming)) ? { status: 400, code: "ExpiredToken" } : undefined
      )
      const renewed = (nth: number) => {
        withdrawn.add(`key-${nth - 1}`)
        give(nth)
      }
      give(1)
      yield* Effect.gen(function* () {
        const store = yield* open
        yield* Effect.forEach(names, (name) => store.put(name, bytes))
        renewed(2)
        const all = yield* Effect.all(
          names.map((name) => store.get(name)),
          { concurrency: "unbounded" }
        )
        assert.isTrue(all.every((one) => Buffer.compare(one, bytes) === 0))
        renewed(3)
        assert.strictEqual((yield* store.head("k0")).sizeBytes, bytes.length)
        renewed(4)
        yield* store.put("large", new Uint8Array(17_000_000))
        renewed(5)
        assert.lengthOf(yield* Stream.runCollect(store.list("")), names.length + 1)
        withdrawn.add("key-5")
        const { message } = yield* Effect.flip(store.put("late", bytes))
        assert.match(message, /the credentials have expired; get new ones/)
      }).pipe(
        withEnvironment({ ...bare, AWS_ENDPOINT_URL: front.url, AWS_CONFIG_FILE: join(folder, "config") })
      )
    }).pipe(Effect.scoped)
  )
})

describe.skipIf(server === undefined)(`a bucket in another region${skipNote}`, () => {
  const known = { ...bare, AWS_ACCESS_KEY_ID: keys.id, AWS_SECRET_ACCESS_KEY: keys.secret }
  const elsewhere = { ...known, AWS_REGION: "eu-central-1" }
  const use = Effect.gen(function* () {
    const store = yield* open
    yield* Effect.forEach(names, (name) => store.put(name, bytes), { concurrency: 8 })
    assert.lengthOf(yield* Stream.runCollect(store.list("")), names.length)
    assert.strictEqual((yield* store.head("k0")).sizeBytes, bytes.length)
  })

  it.live.each([
    [301, "PermanentRedirect"],
    [307, "TemporaryRedirect"]
  ])("that answers %i is followed there, once", ([status, code]) =>
    Effect.gen(function* () {
      let numSentAway = 0
      const front = yield* fronted((incoming) => {
        if (regionOf(incoming) === "us-east-1") return undefined
        numSentAway += 1
        return { status: Number(status), code: String(code), headers: { "x-amz-bucket-region": "us-east-1" } }
      })
      yield* use.pipe(withEnvironment({ ...elsewhere, AWS_ENDPOINT_URL: front.url }))
      assert.strictEqual(numSentAway, 1)
      assert.lengthOf(
        front.passed.filter((one) => one.includes("x-id=")),
        1
      )
    }).pipe(Effect.scoped)
  )

  it.live("is followed by versitygw's own word", () =>
    use.pipe(withEnvironment({ ...elsewhere, AWS_ENDPOINT_URL: server!.url }))
  )

  it.live("that sends everybody away is named with AWS_REGION", () =>
    Effect.gen(function* () {
      const headers = { "x-amz-bucket-region": "ap-south-1" }
      const front = yield* fronted(() => ({ status: 301, code: "PermanentRedirect", headers }))
      const { message } = yield* Effect.flip(open).pipe(
        withEnvironment({ ...elsewhere, AWS_ENDPOINT_URL: front.url })
      )
      assert.match(message, /the bucket "artifacts" is in the region ap-south-1; set AWS_REGION=ap-south-1/)
    }).pipe(Effect.scoped)
  )
})
