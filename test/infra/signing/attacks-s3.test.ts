/** The attack suite on real S3 servers. */
import { Effect, Layer } from "effect"
import { describe } from "vitest"
import { hasherLayer } from "../../../infra/hashing.ts"
import { s3ObjectStoreLayer } from "../../../infra/stores/S3ObjectStore.ts"
import { attackSuite } from "../../suites/attacks.ts"
import { minioMissing, minioSkipNote, startMinio } from "../../support/minio.ts"
import type { S3TestServer } from "../../support/s3Process.ts"
import { skipNote, startVersitygw, versitygwMissing } from "../../support/versitygw.ts"

const versitygw = versitygwMissing ? undefined : await startVersitygw()
const minio = minioMissing ? undefined : await startMinio()

let numPrefixes = 0

/** The server is found in the environment, which is read when the store is opened. */
const freshStore = (server: S3TestServer | undefined) =>
  Layer.unwrap(
    Effect.sync(() => {
      Object.assign(process.env, server!.environment)
      const place = { kind: "s3", bucket: server!.bucket, prefix: `attacks/${numPrefixes++}` } as const
      return s3ObjectStoreLayer({ place, checked: true }).pipe(Layer.provideMerge(hasherLayer))
    })
  )

describe.skipIf(versitygw === undefined)(`versitygw${skipNote}`, () =>
  attackSuite("versitygw", freshStore(versitygw))
)
describe.skipIf(minio === undefined)(`MinIO${minioSkipNote}`, () => attackSuite("MinIO", freshStore(minio)))
