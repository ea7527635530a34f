/** How what tfjs and TensorFlow throw becomes one of the runtime's tagged errors. */
import { ExecutionError, TraceError } from "../../lib/tensor/Runtime.ts"
import { messageOf } from "./messageOf.ts"
import { userFrameOf } from "./userFrame.ts"

export const executionError = (cause: unknown, what: string): ExecutionError =>
  new ExecutionError({ message: `${what}: ${messageOf(cause)}` })

/** tfjs's words for an operation the current backend does not have. */
const MISSING_KERNEL = /Kernel '(\w+)' not registered/

/** What went wrong, in which operation of tfjs and on which line of the user's. */
export const traceError = (cause: unknown): TraceError => {
  const { operation = "step", place } = userFrameOf(cause)
  const missing = MISSING_KERNEL.exec(messageOf(cause))?.[1]
  const what =
    missing === undefined
      ? messageOf(cause)
      : `it uses ${missing}, which this runtime has no kernel for. ` +
        "Write it with other operations, or add a kernel under infra/tensorflow"
  const where = [operation, ...(place === "" ? [] : [`at ${place}`])].join(" ")
  return new TraceError({ operation: missing ?? operation, message: `${where}: ${what}` })
}
