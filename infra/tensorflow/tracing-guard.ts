/** Watches over tfjs's engine while a step runs once: nothing may be left behind that would stay for good. */
import { tf } from "../../lib/tensor/tf.ts"
import { TracingError } from "./Trace.ts"
import { FRAMES_NEEDED } from "./userFrame.ts"

/**
 * Runs `run` in a tidy scope of its own. It must make no variables and draw no lots; where it fails, every
 * tensor it made is disposed of, those too that were kept for gradients it did not come to. Errors carry deep
 * stacks.
 */
export const guarded = <A>(run: () => A): A => {
  const engine = tf.engine()
  const made: Array<tf.Tensor> = []
  const { makeVariable, trackTensor } = engine
  const { random } = Math
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = FRAMES_NEEDED
  engine.makeVariable = refuseVariable
  Math.random = refuseChance
  engine.trackTensor = (tensor, backend) => {
    if (!(tensor instanceof tf.Variable)) made.push(tensor)
    trackTensor.call(engine, tensor, backend)
  }
  // Not `tf.tidy`: it would look for tensors in the result, and stand in every stack.
  engine.startScope()
  try {
    return run()
  } catch (cause) {
    for (const tensor of made) tensor.dispose()
    throw cause
  } finally {
    engine.endScope()
    engine.makeVariable = makeVariable
    engine.trackTensor = trackTensor
    Math.random = random
    Error.stackTraceLimit = stackTraceLimit
  }
}

const refuseVariable = (...[, , name]: Parameters<ReturnType<typeof tf.engine>["makeVariable"]>): never => {
  throw new TracingError(
    `the step makes a variable${name === undefined ? "" : ` ("${name}")`}, which would be another one in ` +
      "every run: make it before the step is compiled, the slots of tfjs's optimizers too"
  )
}

/** tfjs's random operations take their seed from here unless they are given one. */
const refuseChance = (): never => {
  throw new TracingError(
    "the step draws random numbers (tf.randomUniform, tf.dropout, Math.random, …), which would be the same " +
      "in every run of a traced one: draw them outside from a RandomStream and feed them, or give the " +
      "operation a seed if they are to stay the same"
  )
}
