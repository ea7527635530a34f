/** The list of backbones. Each is loaded by name, so a job depends on the code of the one its params name. */
import { Effect } from "effect"
import type { Architecture, BackboneName } from "../Architecture.ts"
import type { Backbone, BackboneModule } from "../Backbone.ts"

export const backbones: {
  readonly [N in BackboneName]: () => Promise<BackboneModule<Extract<Architecture, { readonly family: N }>>>
} = {
  "resnet-cifar": () => import("./resnet-cifar.ts"),
  resnet: () => import("./resnet.ts"),
  "mobilenet-v1": () => import("./mobilenet-v1.ts"),
  "inception-v3": () => import("./inception-v3.ts")
}

/** Loads the code of an architecture and builds its backbone for images of `imageChannels` channels. */
export const loadBackbone = (architecture: Architecture, imageChannels: number): Effect.Effect<Backbone> => {
  // The list's type pairs every family with its module; TypeScript loses the pairing when it looks one up.
  const load = backbones[architecture.family] as () => Promise<BackboneModule<Architecture>>
  return Effect.promise(load).pipe(Effect.map((module) => module.make(architecture, imageChannels)))
}
