/**
 * What a job leaves behind in its process, and must not reach the next one.
 *
 * Put back: environment variables, working folder, umask. Seen, and the process serves no other job: globals
 * added, changed or removed, and properties of the built-in ones and their prototypes; listeners of
 * `process`, child processes, and whatever keeps the event loop alive (timers, sockets, workers). The modules
 * of a stage's bundle are loaded anew for each job. Shared between jobs are the packages that they import,
 * and the services of this program.
 */
import { readFileSync } from "node:fs"

type Descriptors = ReadonlyMap<string | symbol, PropertyDescriptor>

/** An object of the platform, as its own properties were. */
interface Shape {
  readonly name: string
  readonly object: object
  readonly properties: Descriptors
}

type Counts = ReadonlyMap<string, number>

export interface Baseline {
  readonly environment: { readonly [name: string]: string | undefined }
  readonly folder: string
  readonly mask: number
  readonly globals: ReadonlyArray<Shape>
  readonly listeners: Counts
  readonly resources: Counts
}

const counted = (names: ReadonlyArray<string>): Counts => {
  const counts = new Map<string, number>()
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1)
  return counts
}

const listenerCounts = (): Counts =>
  new Map(process.eventNames().map((name) => [String(name), process.listenerCount(name as string)]))

/** The first name that there is more of than before. */
const grown = (before: Counts, after: Counts): string | undefined =>
  [...after].find(([name, count]) => count > (before.get(name) ?? 0))?.[0]

const descriptorsOf = (object: object): Descriptors =>
  new Map(Reflect.ownKeys(object).map((key) => [key, Object.getOwnPropertyDescriptor(object, key)!]))

const isObject = (value: unknown): value is object =>
  (typeof value === "object" && value !== null) || typeof value === "function"

/** What a job might patch: the language's own globals and their prototypes. */
const patchable = [
  ...["Array", "BigInt", "Boolean", "Date", "Error", "Function", "Map", "Number", "Object", "Promise"],
  ...["RegExp", "Set", "String", "Symbol", "Uint8Array", "Float32Array", "Math", "JSON", "Reflect", "console"]
]

const platformObjects = (): ReadonlyArray<Pick<Shape, "name" | "object">> => [
  { name: "globalThis", object: globalThis },
  ...patchable.flatMap((name) => {
    const object = (globalThis as { readonly [name: string]: unknown })[name]
    if (!isObject(object)) return []
    const prototype = (object as { readonly prototype?: unknown }).prototype
    return isObject(prototype)
      ? [
          { name, object },
          { name: `${name}.prototype`, object: prototype }
        ]
      : [{ name, object }]
  })
]

export const takeBaseline = (): Baseline => ({
  environment: { ...process.env },
  folder: process.cwd(),
  mask: process.umask(),
  globals: platformObjects().map(({ name, object }) => ({ name, object, properties: descriptorsOf(object) })),
  listeners: listenerCounts(),
  resources: counted(process.getActiveResourcesInfo())
})

const restoreEnvironment = (before: Baseline["environment"]): void => {
  for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name]
  for (const [name, value] of Object.entries(before)) {
    if (value !== undefined && process.env[name] !== value) process.env[name] = value
  }
}

/** Node itself puts some globals (`Response`, …) in the place of their getters when they are first used. */
const isSame = (before: PropertyDescriptor | undefined, after: PropertyDescriptor): boolean => {
  if (before === undefined) return false
  if (before.get !== undefined) return after.get === before.get || after.get === undefined
  return Object.is(before.value, after.value)
}

/** Node's own fetch keeps its state under such symbols. */
const isOfNode = (key: string | symbol): boolean =>
  typeof key === "symbol" && String(key.description).startsWith("undici.")

const changedProperty = ({ object, properties }: Shape): string | symbol | undefined => {
  const now = Reflect.ownKeys(object).filter((key) => !isOfNode(key))
  const changed = now.find(
    (key) => !isSame(properties.get(key), Object.getOwnPropertyDescriptor(object, key)!)
  )
  return changed ?? [...properties.keys()].find((key) => !Object.hasOwn(object, key))
}

const changedGlobal = (before: Baseline["globals"]): string | undefined => {
  for (const shape of before) {
    const property = changedProperty(shape)
    if (property !== undefined) return `${shape.name}.${String(property)}`.replace(/^globalThis\./, "")
  }
  return undefined
}

/** Processes started by this one; none where the system does not say. */
const hasChildren = (): boolean => {
  try {
    return readFileSync(`/proc/self/task/${process.pid}/children`, "utf8").trim() !== ""
  } catch {
    return false
  }
}

/** What is being closed is closed by then. */
const aMoment = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Puts back what can be put back; resolves to why the process cannot serve another job, if it cannot. */
export const clearLeftovers = async (before: Baseline): Promise<string | undefined> => {
  restoreEnvironment(before.environment)
  if (process.cwd() !== before.folder) process.chdir(before.folder)
  process.umask(before.mask)
  await aMoment()
  const global = changedGlobal(before.globals)
  if (global !== undefined) return `a job has changed the global "${global}"`
  const event = grown(before.listeners, listenerCounts())
  if (event !== undefined) return `a job listens to "${event}" of the process`
  if (hasChildren()) return "a job has left a process behind"
  const resource = grown(before.resources, counted(process.getActiveResourcesInfo()))
  return resource === undefined ? undefined : `a job has left a ${resource} behind`
}
