/** The contract of `ObjectStore` on a server that speaks TLS itself. */
import { Effect, Layer } from "effect"
import { beforeAll, describe } from "vitest"
import { s3ObjectStoreLayer } from "../../infra/stores/S3ObjectStore.ts"
import { objectStoreSuite } from "../suites/objectStore.ts"
import { authority, startSecureVersitygw } from "../support/secureVersitygw.ts"
import { versitygwMissing } from "../support/versitygw.ts"

const server = versitygwMissing ? undefined : await startSecureVersitygw("s3.test")
beforeAll(() => void Object.assign(process.env, server?.environment, { AWS_CA_BUNDLE: authority }))

let numPrefixes = 0
const freshLayer = Layer.unwrap(
  Effect.sync(() => {
    const place = { kind: "s3", bucket: server!.bucket, prefix: `tls/${numPrefixes++}` } as const
    return s3ObjectStoreLayer({ place, checked: true })
  })
)

describe.skipIf(server === undefined)("behind TLS", () => objectStoreSuite("versitygw, TLS", freshLayer))
