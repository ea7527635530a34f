/** An S3 server as a process of its own, on a free port. */
import { type ChildProcess, spawn } from "node:child_process"
import { createServer } from "node:net"
import { dirname, join } from "node:path"
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3"
import { sleep } from "./processes.ts"
import { ended, binary as versitygwBinary } from "./versitygwBinary.ts"

export const keys = { id: "testkey", secret: "testsecret123" }
const region = "us-east-1"

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { readonly port: number }
      server.close(() => resolve(port))
    })
  })

/** A certificate that nobody here trusts is an answer, too. */
const answers = (url: string): Promise<boolean> =>
  fetch(url).then(
    () => true,
    ({ cause }: { readonly cause?: { readonly code?: string } }) => /^UNABLE_TO_/.test(cause?.code ?? "")
  )

export interface S3TestServer {
  readonly url: string
  /** What whoever uses it needs in the environment. */
  readonly environment: { readonly [name: string]: string }
  /** The bucket that exists. */
  readonly bucket: string
  /** What the server was given to keep its data in. */
  readonly root: string
  readonly kill: () => Promise<void>
  /** On the same port and folder as before. */
  readonly restart: () => Promise<void>
}

/** Of the SDK alone, nothing of ours. */
export const plainClient = (url: string): S3Client => {
  const credentials = { accessKeyId: keys.id, secretAccessKey: keys.secret }
  return new S3Client({ endpoint: url, region, credentials, forcePathStyle: true })
}

const makeBucket = async (url: string, bucket: string): Promise<void> => {
  const client = plainClient(url)
  // A server that answers is not always ready.
  for (let i = 0; ; i++) {
    try {
      await client.send(new CreateBucketCommand({ Bucket: bucket }))
      return client.destroy()
    } catch (error) {
      if (i === 50) throw error
      await sleep(100)
    }
  }
}

export interface S3Program {
  readonly binary: string
  readonly args: (address: string, root: string) => ReadonlyArray<string>
  readonly environment: { readonly [name: string]: string }
  /** Whether it speaks TLS. */
  readonly isSecure?: boolean
}

export const versitygwProgram: S3Program = {
  binary: versitygwBinary,
  args: (address, root) => ["--port", address, "--region", region, "--quiet", "posix", root],
  environment: { ROOT_ACCESS_KEY: keys.id, ROOT_SECRET_KEY: keys.secret }
}

/** A key of the server's own key service. */
export const minioKmsKey = "test-key"

export const minioProgram: S3Program = {
  binary: join(dirname(versitygwBinary), "minio"),
  args: (address, root) => ["server", "--quiet", "--address", address, root],
  environment: {
    MINIO_ROOT_USER: keys.id,
    MINIO_ROOT_PASSWORD: keys.secret,
    MINIO_KMS_SECRET_KEY: `${minioKmsKey}:${Buffer.alloc(32, 7).toString("base64")}`,
    MINIO_BROWSER: "off",
    MINIO_UPDATE: "off"
  }
}

export interface S3Process extends S3TestServer {
  /** Starts it and makes the bucket. */
  readonly start: () => Promise<void>
}

/** Not started yet. `root` exists. */
export const makeS3Process = async (program: S3Program, root: string): Promise<S3Process> => {
  const address = `127.0.0.1:${await freePort()}`
  const url = `${program.isSecure === true ? "https" : "http"}://${address}`
  let running: ChildProcess | undefined
  const restart = async (): Promise<void> => {
    const env = { ...process.env, ...program.environment }
    const child = spawn(program.binary, program.args(address, root), { env, stdio: "ignore" })
    running = child
    for (let i = 0; !(await answers(url)); i++) {
      if (i === 200 || child.exitCode !== null) throw new Error(`${program.binary} does not start`)
      await sleep(50)
    }
  }
  const kill = async (): Promise<void> => {
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return
    const gone = ended(running)
    running.kill("SIGKILL")
    await gone
  }
  const bucket = "artifacts"
  return {
    url,
    bucket,
    root,
    kill,
    restart,
    start: async () => {
      await restart()
      await makeBucket(url, bucket)
    },
    environment: {
      AWS_ACCESS_KEY_ID: keys.id,
      AWS_SECRET_ACCESS_KEY: keys.secret,
      AWS_REGION: region,
      AWS_ENDPOINT_URL: url
    }
  }
}
