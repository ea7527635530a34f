/**
 * MinIO, the reference among S3 servers. It takes a quarter of an hour to build, so it is used only where
 * somebody has put it beside versitygw:
 *
 *   CGO_ENABLED=0 go install github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c
 */
import { existsSync } from "node:fs"
import { minioProgram, type S3TestServer } from "./s3Process.ts"
import { startS3Server } from "./s3Server.ts"

export const minioMissing: boolean = !existsSync(minioProgram.binary)
export const minioSkipNote = minioMissing ? " (skipped: its binary is not there)" : ""

/** Runs from the first test of the file to the last. */
export const startMinio = (): Promise<S3TestServer> => startS3Server(minioProgram)
