import { Layer } from "effect"
import { hasherLayer } from "../../../infra/hashing.ts"
import { memoryObjectStoreLayer } from "../../../lib/storage/MemoryObjectStore.ts"
import { objectStoreSuite } from "../../suites/objectStore.ts"

objectStoreSuite("memory", Layer.provide(memoryObjectStoreLayer, hasherLayer))
