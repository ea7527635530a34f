/** Layers to run the toy stages of `test/fixtures/toy` in children, on a store in a folder. */
import { join } from "node:path"
import { Layer } from "effect"
import { type CodeBundles, codeClosureLayer } from "../../infra/code/CodeClosure.ts"
import { packageRootOf } from "../../infra/code/packageRoot.ts"
import { childProcessExecutorLayer } from "../../infra/executors/ChildProcessExecutor.ts"
import { childEnvironment } from "../../infra/executors/childEnvironment.ts"
import { hasherLayer } from "../../infra/hashing.ts"
import { fileObjectStoreLayer } from "../../infra/stores/FileObjectStore.ts"
import { blobStoreLayer } from "../../lib/storage/blobs.ts"
import type { Hasher } from "../../lib/storage/Digest.ts"
import type { CodeClosure } from "../../lib/workflow/CodeClosure.ts"
import type { StateSeals } from "../../lib/workflow/StateSeals.ts"
import { testSeals } from "./signing.ts"

const packageRoot = packageRootOf(import.meta.url)

export const toyStorage = (folder: string) =>
  blobStoreLayer.pipe(
    Layer.provideMerge(fileObjectStoreLayer(join(folder, "store"))),
    Layer.provideMerge(hasherLayer)
  )

export const toyCode = (folder: string) =>
  codeClosureLayer({
    packageRoot,
    codeFolder: join(folder, "code"),
    stageFiles: async (name) => ({
      root: packageRoot,
      contract: `test/fixtures/toy/${name}.ts`,
      body: `test/fixtures/toy/${name}.run.ts`
    }),
    serviceFiles: {}
  })

/** Storage, code and an executor that starts toy children, whose bundles may come from elsewhere. */
export const toyChildren = (
  folder: string,
  bundles: Layer.Layer<CodeBundles | CodeClosure, never, Hasher> = toyCode(folder),
  seals: Layer.Layer<StateSeals> = testSeals
) =>
  Layer.suspend(() =>
    childProcessExecutorLayer({
      childFile: join(packageRoot, "test/fixtures/toy/child.ts"),
      environment: {
        ...childEnvironment({ ...process.env, DISTILLERY_STORE: join(folder, "store") }, 4),
        NODE_COMPILE_CACHE: join(packageRoot, "node_modules", ".cache", "compiled")
      }
    })
  ).pipe(Layer.provideMerge(bundles), Layer.provideMerge(toyStorage(folder)), Layer.provideMerge(seals))
