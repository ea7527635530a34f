/**
 * Requests for single objects past the layers of the SDK, which take a millisecond of the CPU each, and past
 * Node's client. The SDK says where the bucket is and who asks: the first request is its own, and shows. A
 * request is tried here once; an answer that is no success, or none, is handed to the SDK as if it had come
 * to its own first try, so what it means and whether it is tried again is decided in one place.
 */

import { availableParallelism } from "node:os"
import { Readable } from "node:stream"
import { crc32 } from "node:zlib"
import type {
  GetObjectCommand,
  GetObjectCommandOutput,
  HeadObjectCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
  UploadPartCommandOutput
} from "@aws-sdk/client-s3"
import { ObjectTooLarge } from "../../lib/storage/ObjectStore.ts"
import type { ProxyFor } from "../network/proxies.ts"
import { type AnswerHead, type Landing, UnknownForm } from "./s3Answer.ts"
import { badAnswer, failure } from "./s3Line.ts"
import { type Answered, Lines, type LinesOptions, type Question } from "./s3Lines.ts"
import { LineThread } from "./s3LineThread.ts"
import { type PlainRequest, type SignedRequest, signedHead, type Way, wayFrom } from "./s3Signing.ts"

/** What is looked at of an answer. */
export type Told = Pick<
  GetObjectCommandOutput & UploadPartCommandOutput,
  "ETag" | "ContentLength" | "ContentRange" | "LastModified" | "Metadata" | "ChecksumCRC32"
>

type Command = GetObjectCommand | HeadObjectCommand | PutObjectCommand | UploadPartCommand

/** The same request in the SDK's words and as it is sent. */
export interface Asked<C extends Command> {
  readonly bucket: string
  readonly command: () => C
  readonly request: PlainRequest
  /** Where the answer's bytes go to, if it has some. */
  readonly landing?: Landing | undefined
}

const metaPrefix = "x-amz-meta-"

const toldBy = ({ headers }: AnswerHead): Told => ({
  ETag: headers.etag,
  ContentLength: headers["content-length"] === undefined ? undefined : Number(headers["content-length"]),
  ContentRange: headers["content-range"],
  LastModified: headers["last-modified"] === undefined ? undefined : new Date(headers["last-modified"]),
  ChecksumCRC32: headers["x-amz-checksum-crc32"],
  Metadata: Object.fromEntries(
    Object.entries(headers)
      .filter(([name]) => name.startsWith(metaPrefix))
      .map(([name, value]) => [name.slice(metaPrefix.length), value])
  )
})

/** What the SDK sends by itself to servers that it takes for Amazon's. */
const checksumOf = (body: Uint8Array) => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(crc32(body))
  return { "x-amz-sdk-checksum-algorithm": "CRC32", "x-amz-checksum-crc32": bytes.toString("base64") }
}

/** What became of the first try. */
type Outcome = { readonly error: unknown } | Answered

const textOf = ({ buffer, byteLength, byteOffset }: Uint8Array): string =>
  Buffer.from(buffer, byteOffset, byteLength).toString("latin1")

/** What is not there is asked for often; the SDK takes two milliseconds to say so. */
const absence = (method: string, { body, head }: Answered) => {
  if (head.statusCode !== 404) return undefined
  if (method !== "HEAD" && !textOf(body).includes("<Code>NoSuchKey</Code>")) return undefined
  const $metadata = { httpStatusCode: head.statusCode }
  return Object.assign(new Error("it is not there"), { name: "NoSuchKey", $metadata })
}

/** Of a bit that flipped in `NoSuchKey` nobody can say what it means: such a word is heard a second time. */
const believed = (outcome: Outcome | undefined): Outcome | undefined =>
  outcome !== undefined && "head" in outcome && outcome.head.statusCode === 404
    ? { error: failure(badAnswer, "what is not there is said in other words than S3's") }
    : outcome

/** The command's first try has come to this. */
const handOver = (command: GetObjectCommand, outcome: Outcome): void => {
  let isFirst = true
  command.middlewareStack.add(
    (next) => async (args) => {
      if (!isFirst) return next(args)
      isFirst = false
      if ("error" in outcome) throw outcome.error
      const body = Readable.from([outcome.body], { objectMode: false })
      return { response: { ...outcome.head, body } } as never
    },
    { step: "deserialize", priority: "low", name: "firstTry" }
  )
}

/** A thread is not started before so many times as many are under way. */
const startFactor = 4
const canHelp = availableParallelism() > 1

export interface DirectOptions {
  readonly client: S3Client
  readonly lines: LinesOptions
  readonly proxyFor?: ProxyFor | undefined
  /** Of many small requests at once, so many go over connections of this thread. */
  readonly numHereMax: number
  /** Told of every request that came to its end here. */
  readonly onAnswer: () => void
}

export class Direct {
  readonly #options: DirectOptions
  readonly #ways = new Map<string, Way>()
  readonly #lines: Lines
  #thread: LineThread | undefined
  #numUnderWay = 0
  #writeHeaders: { readonly [name: string]: string } = {}
  #wantsChecksums: boolean | undefined
  #isUnfit = false

  constructor(options: DirectOptions) {
    this.#options = options
    this.#lines = new Lines(options.lines)
    options.client.middlewareStack.add(
      (next) => (args) => {
        this.#learn(args.request as SignedRequest, args.input as { Bucket?: string; Key?: string })
        return next(args)
      },
      { step: "deserialize", priority: "low", name: "learnWay" }
    )
  }

  /** What goes with every object that is written. */
  set writeHeaders(headers: { readonly [name: string]: string }) {
    this.#writeHeaders = headers
  }

  /** Buckets are somewhere else: the SDK's next request shows where. */
  forgetWays(): void {
    this.#ways.clear()
  }

  close(): void {
    this.#lines.close()
    this.#thread?.close()
  }

  /** Rejects with an error of the SDK. Bytes that have landed are a success, whatever ended them. */
  async send<C extends Command>(asked: Asked<C>, signal: AbortSignal): Promise<Told & { Body?: unknown }> {
    const way = this.#ways.get(asked.bucket)
    const outcome = way && !this.#isUnfit ? await this.#tried(way, asked, signal) : undefined
    if (outcome !== undefined && "head" in outcome) {
      const absent = absence(asked.request.method, outcome)
      if (absent !== undefined || outcome.head.statusCode < 300) this.#options.onAnswer()
      if (absent !== undefined) throw absent
      if (outcome.head.statusCode < 300) return toldBy(outcome.head)
    }
    // The SDK's overloads take no union.
    const command = asked.command() as GetObjectCommand
    const firstTry = believed(outcome)
    if (firstTry !== undefined) handOver(command, firstTry)
    return this.#options.client.send(command, { abortSignal: signal })
  }

  #learn(request: SignedRequest, { Bucket, Key }: { Bucket?: string; Key?: string }): void {
    if (Bucket === undefined || Key === undefined || this.#ways.has(Bucket)) return
    const way = wayFrom(request, Key)
    if (way === undefined) return
    const proxy = this.#options.proxyFor?.(way.origin)
    this.#ways.set(Bucket, { ...way, origin: { ...way.origin, proxy } })
  }

  /** `undefined` where the answer cannot be read here. */
  async #tried(way: Way, { landing, request }: Asked<Command>, signal: AbortSignal) {
    try {
      return await this.#exchange(way, request, landing, signal)
    } catch (error) {
      // The SDK would get no other answer.
      if (signal.aborted || error instanceof ObjectTooLarge) throw error
      if (!(error instanceof UnknownForm)) return { error }
      this.#isUnfit = true
      return undefined
    }
  }

  async #signed(way: Way, request: PlainRequest): Promise<string> {
    const { config } = this.#options.client
    this.#wantsChecksums ??= (await config.requestChecksumCalculation()) === "WHEN_SUPPORTED"
    const { body, headers, method, query } = request
    const isWrite = method === "PUT" && query === undefined
    const date = new Date(Date.now() + config.systemClockOffset)
    return signedHead(
      way,
      {
        ...request,
        headers: {
          ...headers,
          ...(isWrite && this.#writeHeaders),
          ...(body !== undefined && this.#wantsChecksums && checksumOf(body))
        }
      },
      await config.credentials(),
      date
    )
  }

  async #exchange(
    way: Way,
    request: PlainRequest,
    landing: Landing | undefined,
    signal: AbortSignal
  ): Promise<Outcome> {
    const head = Buffer.from(await this.#signed(way, request), "latin1")
    const { body, method } = request
    const pieces = body === undefined ? [head] : [head, body]
    const question = { origin: way.origin, method, pieces, landing }
    this.#numUnderWay += 1
    try {
      return await (this.#askedBeside(question, signal) ?? this.#lines.ask(question, signal))
    } finally {
      this.#numUnderWay -= 1
    }
  }

  /** Of many small ones at once, those behind the first few are asked by a thread. */
  #askedBeside(question: Question, signal: AbortSignal): Promise<Answered> | undefined {
    const { lines, numHereMax } = this.#options
    const numMax = this.#thread === undefined ? numHereMax * startFactor : numHereMax
    if (this.#numUnderWay <= numMax || this.#thread?.isRunning === false || !canHelp) return undefined
    this.#thread ??= new LineThread(lines)
    return this.#thread.ask(question, signal)
  }
}
