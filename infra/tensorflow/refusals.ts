/** What is said to a step that asks a tensor for what it does not have. */
import type { Stored } from "./GraphBackend.ts"
import { TracingError } from "./Trace.ts"

export const disposedOf = (): TracingError =>
  new TracingError("a tensor or variable that was disposed of is used: keep it as long as the step")

export const ofAnotherTrace = ({ shape }: Stored): TracingError =>
  new TracingError(
    `a tensor of shape [${shape}] made while another step was traced is used again: ` +
      "it had no values to keep. Return it from that step, and feed what comes out to this one"
  )

export const withoutValues = ({ dtype, shape }: Stored, tracing: boolean): TracingError => {
  const tensor = `a ${dtype} tensor of shape [${shape}]`
  if (!tracing) {
    return new TracingError(
      `${tensor} was made while a step was traced and has no values: ` +
        "return it from the step as an output, and take what the run gives back"
    )
  }
  return new TracingError(
    `the step asks for the values of ${tensor}, but while it is traced there are none: ` +
      "return the tensor as an output and read it after the run; where the step branches on it, " +
      "compute both branches and choose with tf.where"
  )
}
