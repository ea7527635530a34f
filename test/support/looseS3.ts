/**
 * A small S3 server in memory that is wrong in ways that servers are: it ignores conditions, decides them
 * only when nobody races, refuses them, or has a clock of its own. It checks no signature.
 */
import { createHash, randomUUID } from "node:crypto"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { setTimeout as delay } from "node:timers/promises"
import { afterAll } from "vitest"

export interface LooseS3Options {
  readonly conditions?: "decided" | "ignored" | "racy" | "refused"
  /** How far its clock is ahead. */
  readonly aheadMillis?: number
}

export interface LooseS3 {
  readonly url: string
  readonly bucket: string
  readonly environment: { readonly [name: string]: string }
  readonly objects: Map<string, Held>
  /** Requests as they came: method, path with query, headers. */
  readonly requests: Array<Pick<IncomingMessage, "method" | "url" | "headers">>
}

interface Held {
  readonly bytes: Buffer
  readonly eTag: string
  readonly modified: Date
  readonly metadata: { readonly [header: string]: string }
}

interface Request {
  readonly incoming: IncomingMessage
  readonly key: string
  readonly query: URLSearchParams
  readonly body: Buffer
}

const eTagOf = (bytes: Buffer): string => `"${createHash("md5").update(bytes).digest("hex")}"`

const xml = (response: ServerResponse, status: number, body: string): void => {
  const text = `<?xml version="1.0" encoding="UTF-8"?>${body}`
  response.writeHead(status, { "content-type": "application/xml" }).end(text)
}

const refuse = (response: ServerResponse, status: number, code: string): void =>
  xml(response, status, `<Error><Code>${code}</Code><Message>no</Message></Error>`)

const bodyOf = async (incoming: IncomingMessage): Promise<Buffer> => {
  const chunks: Array<Buffer> = []
  for await (const chunk of incoming) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

class Server {
  readonly objects = new Map<string, Held>()
  readonly uploads = new Map<string, Map<number, Buffer>>()
  readonly options: LooseS3Options

  constructor(options: LooseS3Options) {
    this.options = options
  }

  private keep(key: string, bytes: Buffer, { headers }: IncomingMessage): Held {
    const metadata = Object.entries(headers).filter(([name]) => name.startsWith("x-amz-meta-"))
    const held: Held = {
      bytes,
      eTag: eTagOf(bytes),
      modified: new Date(Date.now() + (this.options.aheadMillis ?? 0)),
      metadata: Object.fromEntries(metadata) as { [header: string]: string }
    }
    this.objects.set(key, held)
    return held
  }

  private holds({ incoming, key }: Request): boolean {
    if (this.options.conditions === "ignored") return true
    const found = this.objects.get(key)?.eTag
    const { "if-match": wanted, "if-none-match": none } = incoming.headers
    return (none === undefined || found === undefined) && (wanted === undefined || found === wanted)
  }

  async put(request: Request, response: ServerResponse): Promise<void> {
    const { body, incoming, key, query } = request
    const { "if-match": match, "if-none-match": none, "x-amz-copy-source": source } = incoming.headers
    const isAsked = match !== undefined || none !== undefined
    if (isAsked && this.options.conditions === "refused") return refuse(response, 501, "NotImplemented")
    const upload = this.uploads.get(query.get("uploadId") ?? "")
    if (upload !== undefined) {
      upload.set(Number(query.get("partNumber")), body)
      response.writeHead(200, { etag: eTagOf(body) }).end()
      return
    }
    const holds = this.holds(request)
    if (this.options.conditions === "racy") await delay(5)
    if (!holds) return refuse(response, 412, "PreconditionFailed")
    const copied =
      source === undefined ? undefined : this.objects.get(String(source).replace(/^\/?[^/]+\//, ""))
    if (source !== undefined && copied === undefined) return refuse(response, 404, "NoSuchKey")
    const { eTag } = this.keep(key, copied?.bytes ?? body, incoming)
    if (copied === undefined) response.writeHead(200, { etag: eTag }).end()
    else xml(response, 200, `<CopyObjectResult><ETag>${eTag}</ETag></CopyObjectResult>`)
  }

  async post({ body, incoming, key, query }: Request, response: ServerResponse): Promise<void> {
    if (query.has("uploads")) {
      const id = randomUUID()
      this.uploads.set(id, new Map())
      const result = `<UploadId>${id}</UploadId><Key>${key}</Key>`
      return xml(response, 200, `<InitiateMultipartUploadResult>${result}</InitiateMultipartUploadResult>`)
    }
    const upload = this.uploads.get(query.get("uploadId") ?? "")
    if (upload !== undefined) {
      const parts = [...upload].sort(([a], [b]) => a - b).map(([, bytes]) => bytes)
      const { eTag } = this.keep(key, Buffer.concat(parts), incoming)
      const result = `<ETag>${eTag}</ETag>`
      return xml(response, 200, `<CompleteMultipartUploadResult>${result}</CompleteMultipartUploadResult>`)
    }
    for (const [, name] of body.toString().matchAll(/<Key>([^<]*)<\/Key>/g)) this.objects.delete(name!)
    xml(response, 200, "<DeleteResult></DeleteResult>")
  }

  async get({ incoming, key, query }: Request, response: ServerResponse): Promise<void> {
    if (key === "") return this.list(query, response)
    const held = this.objects.get(key)
    if (held === undefined) return refuse(response, 404, "NoSuchKey")
    const { bytes, eTag, metadata, modified } = held
    const range = /^bytes=(\d+)-(\d+)$/.exec(incoming.headers.range ?? "")
    const start = Number(range?.[1] ?? 0)
    if (range !== null && start >= bytes.length) return refuse(response, 416, "InvalidRange")
    const part = range === null ? bytes : bytes.subarray(start, Number(range[2]) + 1)
    response.writeHead(range === null ? 200 : 206, {
      ...metadata,
      etag: eTag,
      "last-modified": modified.toUTCString(),
      "content-length": part.length,
      ...(range !== null && { "content-range": `bytes ${start}-${start + part.length - 1}/${bytes.length}` })
    })
    response.end(incoming.method === "HEAD" ? undefined : part)
  }

  private async list(query: URLSearchParams, response: ServerResponse): Promise<void> {
    if (query.has("uploads"))
      return xml(response, 200, "<ListMultipartUploadsResult></ListMultipartUploadsResult>")
    const keys = [...this.objects.keys()].filter((key) => key.startsWith(query.get("prefix") ?? "")).sort()
    const contents = keys.map((key) => {
      const { bytes, eTag, modified } = this.objects.get(key)!
      const facts = `<LastModified>${modified.toISOString()}</LastModified><ETag>${eTag}</ETag>`
      return `<Contents><Key>${key}</Key>${facts}<Size>${bytes.length}</Size></Contents>`
    })
    xml(response, 200, `<ListBucketResult>${contents.join("")}</ListBucketResult>`)
  }

  async answer(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(incoming.url ?? "", "http://here")
    const key = decodeURIComponent(url.pathname.replace(/^\/[^/]*\/?/, ""))
    const request: Request = { incoming, key, query: url.searchParams, body: await bodyOf(incoming) }
    if (incoming.method === "PUT") return this.put(request, response)
    if (incoming.method === "POST") return this.post(request, response)
    if (incoming.method !== "DELETE") return this.get(request, response)
    this.objects.delete(key)
    response.writeHead(204).end()
  }
}

/** Runs until the file's tests are over. */
export const startLooseS3 = async (options: LooseS3Options = {}): Promise<LooseS3> => {
  const server = new Server(options)
  const requests: LooseS3["requests"] = []
  const http = createServer((incoming, response) => {
    const { headers, method, url } = incoming
    requests.push({ headers, method, url })
    void server.answer(incoming, response)
  })
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve))
  afterAll(() => {
    http.closeAllConnections()
    http.close()
  })
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`
  const bucket = "loose"
  const environment = {
    AWS_ACCESS_KEY_ID: "testkey",
    AWS_SECRET_ACCESS_KEY: "testsecret123",
    AWS_REGION: "us-east-1",
    AWS_ENDPOINT_URL: url
  }
  return { url, bucket, environment, objects: server.objects, requests }
}
