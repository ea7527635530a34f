/**
 * The one value import of tfjs. Everyone writes `import { tf } from "../tensor/tf.ts"` (or `import type { tf
 * }` for types alone): `tf.conv2d(x, filter, 1, "same")`, `tf.Tensor4D`.
 *
 * The union package is imported, not `@tensorflow/tfjs-core`: core's CommonJS bundle, which Node's module
 * loader picks, registers no gradients. The package stays external to our own bundles, so there is exactly
 * one engine.
 */
import * as tf from "@tensorflow/tfjs"

export { tf }
