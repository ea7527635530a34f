/**
 * What was swept stays under `trash/` for a term, in the place it had: it can be put back, and comes back by
 * itself where a blob of it is needed after all.
 */
const prefix = "trash/"

export const trashKey = (key: string): string => `${prefix}${key}`

/** The key that an object in the trash had; `undefined` of others. */
export const trashedKey = (key: string): string | undefined =>
  key.startsWith(prefix) ? key.slice(prefix.length) : undefined
