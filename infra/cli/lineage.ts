/** `distillery lineage` */
import { Effect } from "effect"
import { lineage as ancestorsOf } from "../../lib/workflow/Lineage.ts"
import { lineageDocument, lineageLines, lineageMermaid } from "../reporting/lineageTree.ts"
import { read } from "../settings.ts"
import { storageLayer } from "../storageLayers.ts"
import { findResult } from "./findResult.ts"
import { Output, printJson } from "./Output.ts"

export interface LineageFlags {
  readonly reference: string
  readonly format: "text" | "mermaid"
  readonly json: boolean
}

export const lineage = Effect.fn("lineage")(function* (flags: LineageFlags) {
  const { paint, print } = yield* Output
  const settings = yield* read
  const { ancestors, root } = yield* Effect.gen(function* () {
    const { jobKey } = yield* findResult(flags.reference)
    return { root: jobKey, ancestors: yield* ancestorsOf(jobKey) }
  }).pipe(Effect.provide(storageLayer(settings)))
  if (flags.json) return yield* printJson(lineageDocument(root, ancestors))
  yield* print(flags.format === "mermaid" ? lineageMermaid(ancestors) : lineageLines(root, ancestors, paint))
})
