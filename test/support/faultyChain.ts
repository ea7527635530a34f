/** The chain `fashion-mnist` at toy size, by the built program, on an S3 server behind a wire that breaks. */
import { createHash } from "node:crypto"
import { join } from "node:path"
import { GetObjectCommand, ListMultipartUploadsCommand, ListObjectsV2Command } from "@aws-sdk/client-s3"
import { assert } from "vitest"
import { distillery } from "../infra/cli/builtProgram.ts"
import { fashionMnistSlice } from "./fashionMnistSlice.ts"
import { faultSchedule, type ScheduleOptions } from "./faultSchedule.ts"
import type { FaultyProxy } from "./faultyProxy.ts"
import { sleep } from "./processes.ts"
import { plainClient, type S3TestServer } from "./s3Process.ts"
import { temporaryFolder } from "./temporaryFolder.ts"

type Digests = { readonly [job: string]: string }

export interface Chain {
  readonly flags: ReadonlyArray<string>
  readonly environment: { readonly [name: string]: string }
  /** What its jobs make where nothing breaks. */
  readonly digests: Digests
}

const digestsIn = (stdout: string): Digests =>
  Object.fromEntries(
    JSON.parse(stdout).jobs.map((job: { readonly name: string; readonly outputDigest: string }) => [
      job.name,
      job.outputDigest
    ])
  )

/** Computed once, into a folder. */
export const makeChain = async (): Promise<Chain> => {
  const { flags, mirror } = await fashionMnistSlice()
  const folder = temporaryFolder()
  const environment = { DISTILLERY_MIRROR: mirror, DISTILLERY_CACHE: join(folder, "cache") }
  const args = ["run", "fashion-mnist", "--json", ...flags]
  const { code, stderr, stdout } = await distillery(args, { environment, folder })
  assert.strictEqual(code, 0, stderr)
  return { flags, environment, digests: digestsIn(stdout) }
}

/** A server, a wire before it, and the folder of a project. */
export interface Place {
  readonly server: S3TestServer
  readonly proxy: FaultyProxy
  readonly folder: string
}

/** Reads every blob past the wire; those that hold other bytes than their name says. */
const wrongBlobs = async (server: S3TestServer, prefix: string): Promise<ReadonlyArray<string>> => {
  const client = plainClient(server.url)
  const listing = new ListObjectsV2Command({ Bucket: server.bucket, Prefix: `${prefix}/objects/blobs/` })
  const { Contents = [] } = await client.send(listing)
  assert.isAbove(Contents.length, 10)
  const wrong: Array<string> = []
  for (const { Key = "" } of Contents) {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: server.bucket, Key }))
    const digest = createHash("sha256")
      .update(await Body!.transformToByteArray())
      .digest("hex")
    if (!Key.endsWith(`sha256/${digest.slice(0, 2)}/${digest.slice(2)}`)) wrong.push(Key)
  }
  client.destroy()
  return wrong
}

/** MinIO lists those of a whole bucket only. */
const uploadsLeft = async ({ bucket, url }: S3TestServer, prefix: string): Promise<number> => {
  const client = plainClient(url)
  const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }))
  client.destroy()
  return Uploads.filter(({ Key = "" }) => Key.startsWith(`${prefix}/`)).length
}

const bouncing = (server: S3TestServer) => async (): Promise<void> => {
  await server.kill()
  await sleep(1_000)
  await server.restart()
}

/** One run under a schedule of faults, and what it has left: fails where anything is not as it should be. */
export const surviveFaults = async (
  chain: Chain,
  { folder, proxy, server }: Place,
  options: Omit<ScheduleOptions, "bounceServer">
): Promise<string> => {
  const prefix = `faults/${options.theme.replaceAll(" ", "-")}-${options.seed}`
  const environment = {
    ...chain.environment,
    ...server.environment,
    AWS_EC2_METADATA_DISABLED: "true",
    AWS_ENDPOINT_URL: proxy.url,
    DISTILLERY_STORE: `s3://${server.bucket}/${prefix}`
  }
  const schedule = faultSchedule({ ...options, bounceServer: bouncing(server) })
  proxy.passed.length = 0
  proxy.fault = schedule.fault
  const startedMillis = performance.now()
  const args = ["run", "fashion-mnist", "--json", ...chain.flags]
  const run = await distillery(args, { environment, folder })
  const seconds = Math.round((performance.now() - startedMillis) / 1000)
  proxy.fault = () => undefined
  const what = `${options.theme}, seed ${options.seed}`
  assert.strictEqual(run.code, 0, `${what}: ${run.stderr}`)
  assert.deepStrictEqual(digestsIn(run.stdout), chain.digests, what)
  assert.deepStrictEqual(await wrongBlobs(server, prefix), [], what)
  if (options.theme === "outage") assert.match(run.stderr, /waiting for the store since \d\d:\d\d:\d\d: /)
  const left = await uploadsLeft(server, prefix)
  const swept = await distillery(["gc", "--older-than", "0d", "--yes"], { environment, folder })
  assert.strictEqual(swept.code, 0, `${what}: ${swept.stderr}`)
  assert.strictEqual(await uploadsLeft(server, prefix), 0, `${what}: uploads left after gc`)
  const counted = Object.entries(schedule.counts).map(([kind, count]) => `${count} ${kind}`)
  const numbers = `${seconds} s, ${proxy.passed.length} requests, ${counted.join(", ")}`
  return `${what}: ${numbers}; ${left} uploads swept`
}
