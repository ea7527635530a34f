/**
 * MinIO, the reference among S3 servers. It takes a quarter of an hour to build, so it is used only where
 * somebody has put it beside versitygw:
 *
 *   CGO_ENABLED=0 go install github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c
 */
import { existsSync } from "node:fs"
import { dirname, join } from "node:path"
import { keys, type S3TestServer, startS3Server } from "./s3Server.ts"
import { binary as versitygw } from "./versitygwBinary.ts"

const binary = join(dirname(versitygw), "minio")

/** A key of the server's own key service. */
export const minioKmsKey = "test-key"

export const minioMissing: boolean = !existsSync(binary)

/** Runs from the first test of the file to the last. */
export const startMinio = (): Promise<S3TestServer> =>
  startS3Server({
    binary,
    args: (address, root) => ["server", "--quiet", "--address", address, root],
    environment: {
      MINIO_ROOT_USER: keys.id,
      MINIO_ROOT_PASSWORD: keys.secret,
      MINIO_KMS_SECRET_KEY: `${minioKmsKey}:${Buffer.alloc(32, 7).toString("base64")}`,
      MINIO_BROWSER: "off",
      MINIO_UPDATE: "off"
    }
  })
