import { Effect, Layer } from "effect"
import { inProcessExecutorLayer } from "../../../infra/executors/InProcessExecutor.ts"
import { hasherLayer } from "../../../infra/hashing.ts"
import { fileObjectStoreLayer } from "../../../infra/stores/FileObjectStore.ts"
import { blobStoreLayer } from "../../../lib/storage/blobs.ts"
import { executorSuite } from "../../suites/executor.ts"
import { testSeals } from "../../support/signing.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"

const storage = blobStoreLayer.pipe(
  Layer.provideMerge(fileObjectStoreLayer(temporaryFolder())),
  Layer.provideMerge(hasherLayer)
)

executorSuite(
  "in process",
  Layer.suspend(() => inProcessExecutorLayer(Layer.effectDiscard(Effect.void))).pipe(
    Layer.provideMerge(storage),
    Layer.provideMerge(testSeals)
  )
)
