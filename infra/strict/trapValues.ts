/** Environment, clock, chance and locale: what differs from place to place and from time to time. */
import crypto from "node:crypto"
import os from "node:os"
import { type Tell, trapClass, trapMethod, trapMethods } from "./Trap.ts"

/** Effect and Node ask for properties that are no variables. */
const isName = (property: string | symbol): property is string => typeof property === "string"

export const trapEnvironment = (tell: Tell): void => {
  const get = (target: NodeJS.ProcessEnv, name: string | symbol): unknown => {
    if (isName(name)) tell("environment", name, get)
    return Reflect.get(target, name)
  }
  const has = (target: NodeJS.ProcessEnv, name: string | symbol): boolean => {
    if (isName(name)) tell("environment", name, has)
    return Reflect.has(target, name)
  }
  const ownKeys = (target: NodeJS.ProcessEnv) => {
    tell("environment", "all variables", ownKeys)
    return Reflect.ownKeys(target)
  }
  Object.defineProperty(process, "env", {
    value: new Proxy(process.env, { get, has, ownKeys }),
    configurable: true,
    enumerable: true,
    writable: true
  })
}

/** Methods of `Date` whose answer depends on the machine's time zone. */
const zoned = [
  "getDate",
  "getDay",
  "getFullYear",
  "getHours",
  "getMinutes",
  "getMonth",
  "getTimezoneOffset",
  "toDateString",
  "toString",
  "toTimeString"
]

export const trapClock = (tell: Tell): void => {
  const kind = "clock"
  trapMethods(Date.prototype, zoned, { title: "Date", kind: "time zone", tell })
  trapMethods(Date, ["now"], { title: "Date", kind, tell })
  trapClass(globalThis, "Date", {
    kind,
    say: (args) => (args.length === 0 ? "new Date()" : undefined),
    tell
  })
  trapMethods(Object.getPrototypeOf(performance) as object, ["now"], { title: "performance", kind, tell })
  trapMethods(process, ["hrtime", "uptime"], { title: "process", kind, tell })
  trapMethods(process.hrtime, ["bigint"], { title: "process.hrtime", kind, tell })
  trapMethods(os, ["uptime"], { title: "os", kind, tell })
}

export const trapChance = (tell: Tell): void => {
  const kind = "randomness"
  trapMethods(Math, ["random"], { title: "Math", kind, tell })
  trapMethods(crypto, ["getRandomValues", "randomBytes", "randomFill", "randomInt", "randomUUID"], {
    title: "crypto",
    kind,
    tell
  })
  const web = Object.getPrototypeOf(globalThis.crypto) as object
  trapMethods(web, ["getRandomValues", "randomUUID"], { title: "crypto", kind, tell })
}

const formats = ["Collator", "DateTimeFormat", "DisplayNames", "ListFormat", "NumberFormat", "PluralRules"]

/** `toLocaleString()`: which argument names the locale. */
const localized: ReadonlyArray<readonly [owner: object, name: string, argument: number]> = [
  [Number.prototype, "toLocaleString", 0],
  [BigInt.prototype, "toLocaleString", 0],
  [Array.prototype, "toLocaleString", 0],
  [Date.prototype, "toLocaleString", 0],
  [Date.prototype, "toLocaleDateString", 0],
  [Date.prototype, "toLocaleTimeString", 0],
  [String.prototype, "localeCompare", 1],
  [String.prototype, "toLocaleLowerCase", 0],
  [String.prototype, "toLocaleUpperCase", 0]
]

export const trapLocale = (tell: Tell): void => {
  const kind = "locale"
  for (const name of [...formats, "RelativeTimeFormat", "Segmenter"]) {
    trapClass(Intl, name, {
      kind,
      say: ([locales]) => (locales === undefined ? `Intl.${name}() without a locale` : undefined),
      tell
    })
  }
  for (const [owner, name, argument] of localized) {
    trapMethod(owner, name, {
      kind,
      say: (args) => (args[argument] === undefined ? `${name}() without a locale` : undefined),
      tell
    })
  }
}
