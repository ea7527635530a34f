import { tf } from "../../../lib/tensor/tf.ts"

/** Whether tfjs's gradient tape notes the kernel that is being recorded. */
export const isOnTape = (): boolean => {
  const { gradientDepth, kernelDepth } = tf.engine().state
  return gradientDepth > 0 && kernelDepth === 1
}
