/**
 * What a server does under a race, and with a body that is not what its checksum says: asked with requests as
 * they are, by two clients.
 */
import { randomBytes } from "node:crypto"
import { GetObjectCommand, HeadObjectCommand, PutObjectCommand, type S3Client } from "@aws-sdk/client-s3"
import { connect } from "./s3Client.ts"
import { encryptWrites } from "./s3Encryption.ts"
import { isConflict, isLacking, isPrecondition, type S3Failure } from "./s3Errors.ts"
import { recordConditions } from "./s3Format.ts"
import { removeObjects } from "./s3Upkeep.ts"
import { formatFile } from "./storeFormat.ts"
import type { S3Place } from "./storePlace.ts"

export interface S3Probed {
  /** `undefined` where writers at once are decided between; else what went wrong. */
  readonly raceProblem: string | undefined
  readonly numRounds: number
  /** Whether a body that does not fit its checksum is refused. */
  readonly checksChecksums: boolean
  /** How the server says that it encrypted what was asked to be. */
  readonly encryption: string | undefined
}

interface Probe {
  readonly clients: readonly [S3Client, S3Client]
  readonly bucket: string
  readonly folder: string
}

/** Of a record that fits into one request. */
const sizes = { partBytes: 8 * 2 ** 20, multipartBytesMin: 16 * 2 ** 20, numParallel: 1 }

/** Servers that look first and write then are found within some ten rounds. */
const numCreateRounds = 40
const numSteps = 25
const numTriesMax = 500

const put = async (
  client: S3Client,
  target: { readonly Bucket: string; readonly Key: string },
  body: string,
  condition: { readonly IfNoneMatch?: string; readonly IfMatch?: string | undefined }
): Promise<boolean> => {
  try {
    await client.send(new PutObjectCommand({ ...target, ...condition, Body: Buffer.from(body) }))
    return true
  } catch (error) {
    if (isPrecondition(error as S3Failure) || isConflict(error as S3Failure)) return false
    throw error
  }
}

/** Two clients want to make the same object, again and again. */
const raceToCreate = async ({ bucket, clients, folder }: Probe): Promise<string | undefined> => {
  for (let round = 0; round < numCreateRounds; round++) {
    const target = { Bucket: bucket, Key: `${folder}/create-${round}` }
    const won = await Promise.all(
      clients.map((client, index) => put(client, target, `${round} ${index}`, { IfNoneMatch: "*" }))
    )
    const numWinners = won.filter((isWinner) => isWinner).length
    // None: each was told of the other; nothing is lost by that.
    if (numWinners > 1) return `If-None-Match: both of two writers at once were told that they had won`
  }
  return undefined
}

const increment = async (client: S3Client, target: { Bucket: string; Key: string }): Promise<boolean> => {
  const found = await client.send(new GetObjectCommand(target))
  const count = Number(await found.Body?.transformToString())
  return put(client, target, String(count + 1), { IfMatch: found.ETag })
}

/** Two clients count together; a step that is lost shows a swap that should have failed. */
const raceToCount = async ({ bucket, clients, folder }: Probe): Promise<string | undefined> => {
  const target = { Bucket: bucket, Key: `${folder}/count` }
  await put(clients[0], target, "0", {})
  const count = async (client: S3Client) => {
    let numTries = 0
    for (let step = 0; step < numSteps && numTries < numTriesMax; numTries++) {
      if (await increment(client, target)) step += 1
    }
    return numTries < numTriesMax
  }
  const ended = await Promise.all(clients.map(count))
  if (ended.includes(false)) return "If-Match: a writer is refused again and again"
  const found = await clients[0].send(new GetObjectCommand(target))
  const counted = Number(await found.Body?.transformToString())
  const wanted = clients.length * numSteps
  return counted === wanted ? undefined : `If-Match: of ${wanted} steps of two writers, ${counted} were kept`
}

const raceProblem = async (probe: Probe): Promise<string | undefined> => {
  try {
    return (await raceToCreate(probe)) ?? (await raceToCount(probe))
  } catch (error) {
    if (isLacking(error as S3Failure)) return "the server refuses conditional writes"
    throw error
  }
}

const checksChecksums = async ({ bucket, clients, folder }: Probe): Promise<boolean> => {
  const wrong = { Bucket: bucket, Key: `${folder}/wrong`, Body: Buffer.from("right") }
  try {
    const ChecksumSHA256 = Buffer.alloc(32).toString("base64")
    await clients[0].send(new PutObjectCommand({ ...wrong, ChecksumSHA256 }))
    return false
  } catch (error) {
    const status = (error as S3Failure).$metadata?.httpStatusCode ?? 0
    if (status >= 400 && status < 500) return true
    throw error
  }
}

/** Rejects with an error of the SDK. What the race shows is noted in `format.json`; the rest is removed. */
export const probeS3 = async ({ addressing, bucket, encryption, prefix }: S3Place): Promise<S3Probed> => {
  const connections = [await connect({ addressing }), await connect({ addressing })] as const
  const clients = [connections[0].client, connections[1].client] as const
  if (encryption !== undefined) for (const one of connections) encryptWrites(one, encryption)
  const root = prefix === "" ? "" : `${prefix}/`
  const folder = `${root}objects/doctor/${randomBytes(8).toString("hex")}`
  const probe: Probe = { clients, bucket, folder }
  const signal = new AbortController().signal
  try {
    const problem = await raceProblem(probe)
    const { client, direct } = connections[0]
    const object = { client, direct, bucket, objectKey: `${root}${formatFile}` }
    await recordConditions({ object, sizes, signal }, problem === undefined)
    const Key = `${folder}/plain`
    await put(clients[0], { Bucket: bucket, Key }, "x", {})
    const { ServerSideEncryption } = await clients[0].send(new HeadObjectCommand({ Bucket: bucket, Key }))
    return {
      raceProblem: problem,
      numRounds: numCreateRounds + 2 * numSteps,
      checksChecksums: await checksChecksums(probe),
      encryption: ServerSideEncryption
    }
  } finally {
    const names = [
      "count",
      "wrong",
      "plain",
      ...Array.from({ length: numCreateRounds }, (_, i) => `create-${i}`)
    ]
    const keys = names.map((name) => `${folder}/${name}`)
    await removeObjects({ client: clients[0], bucket }, keys, signal).catch(() => undefined)
    for (const { client, direct } of connections) {
      client.destroy()
      direct.close()
    }
  }
}

/** How one comes to the server, in a line. Rejects where what says so makes no sense. */
export const networkWords = async ({ addressing }: S3Place): Promise<string> => {
  const { bundle, client, direct, isByPath, proxy, server } = await connect({ addressing })
  client.destroy()
  direct.close()
  return [
    proxy === undefined
      ? `${server} without a proxy`
      : `${server} through ${proxy.address} (${proxy.variable})`,
    `trusted are Node's authorities${bundle === undefined ? "" : ` and ${bundle.file} (${bundle.from})`}`,
    `the bucket is named in the ${isByPath ? "path" : "host"}`
  ].join("; ")
}
