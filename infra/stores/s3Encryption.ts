/** Encryption at rest, which the server does: what is asked for goes with every kind of write. */
import type { S3Client } from "@aws-sdk/client-s3"
import type { S3Encryption } from "./storePlace.ts"

/** All requests that make an object; parts of an upload follow the request that began it. */
const writes: ReadonlySet<unknown> = new Set([
  "PutObjectCommand",
  "CreateMultipartUploadCommand",
  "CopyObjectCommand"
])

export const encryptWrites = (client: S3Client, { kind, kmsKeyId }: S3Encryption): void => {
  const asked = { ServerSideEncryption: kind, ...(kmsKeyId !== undefined && { SSEKMSKeyId: kmsKeyId }) }
  client.middlewareStack.add(
    (next, context) => (args) =>
      next(writes.has(context.commandName) ? { ...args, input: { ...args.input, ...asked } } : args),
    { step: "initialize", name: "serverSideEncryption" }
  )
}
