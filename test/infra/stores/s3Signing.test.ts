/** Requests that we sign are signed as the SDK would have, to the last letter. */
import { GetObjectCommand, S3Client } from "@aws-sdk/client-s3"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import {
  type PlainRequest,
  type SignedRequest,
  signedHead,
  wayFrom
} from "../../../infra/stores/s3Signing.ts"

const region = "eu-west-3"

/** The request that the SDK makes for an object, as it would send it. */
const asSentBySdk = async (client: S3Client, bucket: string, key: string): Promise<SignedRequest> => {
  let sent: SignedRequest | undefined
  const command = new GetObjectCommand({ Bucket: bucket, Key: key })
  command.middlewareStack.add(
    () => async (args) => {
      sent = args.request as SignedRequest
      throw new Error("seen")
    },
    { step: "deserialize", priority: "low", name: "see" }
  )
  await client.send(command).catch(() => undefined)
  return sent!
}

/** What the SDK's own signer makes of the head that we send. */
const signedBySdk = async (client: S3Client, text: string, date: Date): Promise<string> => {
  const [first = "", ...lines] = text.trimEnd().split("\r\n")
  const [method = "", target = ""] = first.split(" ")
  const [path = "", query = ""] = target.split("?")
  const pairs = lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1)])
  const { authorization: _, ...headers } = Object.fromEntries(pairs) as { [name: string]: string }
  const request = {
    ...{ method, path, headers, protocol: "https:", hostname: "unused" },
    query: Object.fromEntries(new URLSearchParams(query))
  }
  const signer = await client.config.signer()
  const options = { signingDate: date, signingRegion: region, signingService: "s3" }
  return (await signer.sign(request, options)).headers.authorization!
}

const clients = [
  { accessKeyId: "AKID", secretAccessKey: "secret" },
  { accessKeyId: "AKID/2", secretAccessKey: "other/secret+", sessionToken: "token==" }
].flatMap((credentials) =>
  [undefined, "http://127.0.0.1:9000", "https://[::1]:9000/some/path"].map((endpoint) => ({
    credentials,
    client: new S3Client({
      region,
      credentials,
      ...(endpoint !== undefined && { endpoint, forcePathStyle: true }),
      maxAttempts: 1
    })
  }))
)

const Text = Schema.NonEmptyArray(Schema.Literals([...`abzAZ09._=-/+ é%!'()*~`]))
const Method = Schema.Literals(["GET", "HEAD", "PUT"])

describe("signatures", () => {
  it.effect.prop(
    "are those of the SDK, whatever is asked for",
    {
      who: Schema.Literals([0, 1, 2, 3, 4, 5]),
      key: Text,
      method: Method,
      uploadId: Text,
      day: Schema.Literals([0, 1, 400])
    },
    ({ day, key, method, uploadId, who }) =>
      Effect.promise(async () => {
        const { client, credentials } = clients[who]!
        const objectKey = `k${key.join("")}k`
        const way = wayFrom(await asSentBySdk(client, "bucket", objectKey), objectKey)
        assert.isDefined(way, objectKey)
        const query = [
          ["partNumber", "7"],
          ["uploadId", uploadId.join("")]
        ] as const
        const request: PlainRequest = {
          method,
          objectKey,
          headers: { "content-type": "a/b", range: "bytes=0-9", "x-amz-meta-b": "two", "if-match": '"v"' },
          ...(method === "PUT" && { query, body: Buffer.from("body"), bodySha256: "0".repeat(64) })
        }
        const date = new Date(Date.UTC(2026, 0, 1 + day))
        const text = signedHead(way!, request, credentials, date)
        const ours = /\r\nauthorization:(.*)\r\n/.exec(text)?.[1]
        assert.strictEqual(ours, await signedBySdk(client, text, date), text)
      }),
    { arbitrary: { runs: 60 } }
  )

  it("are left to the SDK where it signs in another way", async () => {
    const request = await asSentBySdk(clients[0]!.client, "bucket", "k")
    assert.isDefined(wayFrom(request, "k"))
    const { authorization = "" } = request.headers
    const of = (headers: SignedRequest["headers"]) =>
      wayFrom({ ...request, headers: { ...request.headers, ...headers } }, "k")
    assert.isUndefined(
      of({ authorization: authorization.replace("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256") })
    )
    assert.isUndefined(of({ authorization: authorization.replace("/s3/", "/s3express/") }))
    assert.isUndefined(of({ "x-amz-s3session-token": "token" }))
  })
})
