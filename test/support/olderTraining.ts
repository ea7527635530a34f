/** A process that trains the residual net on the library in a folder: losses and gradients as JSON. */
import process from "node:process"
import { Effect } from "effect"
import { locateLibrary } from "../../infra/tensorflow/library.ts"
import { layerNative } from "../../infra/tensorflow/NativeRuntime.ts"
import { TensorRuntime } from "../../lib/tensor/Runtime.ts"
import { train } from "../infra/tensorflow/residual-net.ts"
import { lowConvolutions } from "./lowConvolutions.ts"

const [directory = "", precision = ""] = process.argv.slice(2)

const losses = Effect.gen(function* () {
  const library = yield* locateLibrary({ directory, cacheDirectory: directory })
  if (library.kind === "portable") return yield* Effect.die(library.reason)
  return yield* Effect.gen(function* () {
    const { numerics } = yield* TensorRuntime
    const trained = yield* train(precision === "bfloat16" ? "bfloat16" : "float32", 5)
    const gradients = yield* lowConvolutions
    return { library: numerics.library, losses: Array.from(trained.losses), gradients }
  }).pipe(Effect.provide(layerNative({ library, threads: 2 })))
})

process.stdout.write(JSON.stringify(await Effect.runPromise(losses)))
process.exit(0)
