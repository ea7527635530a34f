/** Gradients of convolutions, some of which TensorFlow 2.9.1 cannot compute in bfloat16. */
import { Effect } from "effect"
import { TensorRuntime } from "../../lib/tensor/Runtime.ts"
import { RandomStream } from "../../lib/tensor/random.ts"
import { tf } from "../../lib/tensor/tf.ts"

const shapes = { x: [2, 7, 7, 16], padded: [5, 5, 16, 16], depthwise: [3, 3, 16, 1] } as const

const noise = (name: keyof typeof shapes): Float32Array => {
  const random = RandomStream.make(0, name)
  const count = shapes[name].reduce((product: number, length) => product * length, 1)
  return Float32Array.from({ length: count }, () => random.gaussian())
}

/** All gradients of a sum of squares behind a convolution padded by 2 and a depthwise one, in bfloat16. */
export const lowConvolutions = Effect.gen(function* () {
  const runtime = yield* TensorRuntime
  const spec = (name: keyof typeof shapes) => ({ shape: shapes[name], dtype: "float32" }) as const
  const step = yield* runtime.jit(
    (inputs) => {
      const loss = (x: tf.Tensor, padded: tf.Tensor, depthwise: tf.Tensor): tf.Tensor => {
        const seen = tf.conv2d(x as tf.Tensor4D, padded as tf.Tensor4D, 1, 2)
        return tf.sum(tf.square(tf.depthwiseConv2d(seen, depthwise as tf.Tensor4D, 1, "same")))
      }
      const [x, padded, depthwise] = tf.grads(loss)([inputs.x, inputs.padded, inputs.depthwise])
      return { x: x!, padded: padded!, depthwise: depthwise! }
    },
    {
      inputs: { x: spec("x"), padded: spec("padded"), depthwise: spec("depthwise") },
      precision: "bfloat16"
    }
  )
  const feeds = { x: noise("x"), padded: noise("padded"), depthwise: noise("depthwise") }
  const { depthwise, padded, x } = yield* step.run(feeds)
  return [x, padded, depthwise].flatMap((values) => Array.from(values))
}).pipe(Effect.scoped)
