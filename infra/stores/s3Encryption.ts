/** Encryption at rest, which the server does: what is asked for goes with every kind of write. */
import type { S3Connection } from "./s3Client.ts"
import type { S3Encryption } from "./storePlace.ts"

/** All requests that make an object; parts of an upload follow the request that began it. */
const writes: ReadonlySet<unknown> = new Set([
  "PutObjectCommand",
  "CreateMultipartUploadCommand",
  "CopyObjectCommand"
])

export const encryptWrites = (
  { client, direct }: Pick<S3Connection, "client" | "direct">,
  { kind, kmsKeyId }: S3Encryption
): void => {
  const asked = { ServerSideEncryption: kind, ...(kmsKeyId !== undefined && { SSEKMSKeyId: kmsKeyId }) }
  client.middlewareStack.add(
    (next, context) => (args) =>
      next(writes.has(context.commandName) ? { ...args, input: { ...args.input, ...asked } } : args),
    { step: "initialize", name: "serverSideEncryption" }
  )
  direct.writeHeaders = {
    "x-amz-server-side-encryption": kind,
    ...(kmsKeyId !== undefined && { "x-amz-server-side-encryption-aws-kms-key-id": kmsKeyId })
  }
}
