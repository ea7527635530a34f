/** The list of backbones. Each is loaded by name, so a job depends on the code of the one its params name. */
import { Effect } from "effect"
import type { Architecture, BackboneName } from "../Architecture.ts"
import type { Backbone, BackboneModule } from "../Backbone.ts"

export const backbones: {
  readonly [N in BackboneName]: () => Promise<BackboneModule<Extract<Architecture, { readonly family: N }>>>
} = {
  "resnet-cifar": () => import("./resnet-cifar.ts")
}

/** Loads the code of an architecture and builds its backbone for images of `imageChannels` channels. */
export const loadBackbone = (architecture: Architecture, imageChannels: number): Effect.Effect<Backbone> =>
  Effect.promise(backbones[architecture.family]).pipe(
    Effect.map((module) => module.make(architecture, imageChannels))
  )
