/** Which strings are keys of an `ObjectStore`; every store asks here, so that all refuse the same ones. */

const segment = /^[A-Za-z0-9._=-]+$/

/** Whether `key` consists of allowed segments; `.` and `..` are none, lest a key leave a store's folder. */
export const isObjectKey = (key: string): boolean =>
  key.length <= 900 &&
  key.split("/").every((part) => segment.test(part) && part !== "." && part !== ".." && part.length <= 200)

/** The reason a store gives for refusing a key. */
export const keyRule =
  "a key is made of segments of A-Z a-z 0-9 . _ = - with / between them, at most 200 characters each"
