/**
 * `JSON.parse`, less a fault of V8 (nodejs/node#63785, in Node 20 to 26): once an object with a key `"\\"`
 * was read, another's key of one escaped character may come out as that backslash.
 */

/** A key of one escaped character: within a string a quotation mark has a backslash before it. */
const escapedKey = /"(\\(?:["/bfnrt]|u[0-9a-fA-F]{4}))"(?=[ \t\n\r]*:)/g

/** Throws `SyntaxError` where the text is no JSON. */
export const jsonValue = (text: string): unknown => {
  if (text.search(escapedKey) === -1) return JSON.parse(text)
  const mark = absentFrom(text)
  return withoutMark(JSON.parse(text.replace(escapedKey, `"$1${mark}"`)), mark)
}

/** Longer keys are read rightly: one made of a character as often as it takes to be nowhere else. */
const absentFrom = (text: string): string => {
  let mark = "~"
  while (text.includes(mark)) mark += "~"
  return mark
}

const withoutMark = (value: unknown, mark: string): unknown => {
  if (Array.isArray(value)) return value.map((item) => withoutMark(item, mark))
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key.endsWith(mark) ? key.slice(0, -mark.length) : key,
      withoutMark(item, mark)
    ])
  )
}
