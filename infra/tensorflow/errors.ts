/** How what tfjs and TensorFlow throw becomes one of the runtime's tagged errors. */
import { ExecutionError, TraceError } from "../../lib/tensor/Runtime.ts"
import { messageOf } from "./messageOf.ts"
import { TracingError } from "./Trace.ts"

export const executionError = (cause: unknown, what: string): ExecutionError =>
  new ExecutionError({ message: `${what}: ${messageOf(cause)}` })

/** tfjs's words for an operation the current backend does not have. */
const MISSING_KERNEL = /Kernel '(\w+)' not registered/

export const traceError = (cause: unknown): TraceError => {
  const message = messageOf(cause)
  if (cause instanceof TracingError) return new TraceError({ operation: cause.operation, message })
  const missing = MISSING_KERNEL.exec(message)?.[1]
  if (missing === undefined)
    return new TraceError({ operation: "step", message: `The step failed: ${message}` })
  return new TraceError({
    operation: missing,
    message:
      `The step uses ${missing}, which this runtime has no kernel for. ` +
      "Write it with other operations, or add a kernel under infra/tensorflow"
  })
}
