/** The words of whatever was thrown. A file of its own: looking for the library must not load bindings. */
export const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))
