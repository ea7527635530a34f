/** What a pickle of tensors may hold; nothing of it is code. */
import type { StoredDtype } from "../StoredTensor.ts"

/** A name of {@link knownGlobals}. */
export interface Global {
  readonly _tag: "Global"
  readonly name: string
}

/** One dimension of elements, in which tensors lie. */
export interface Storage {
  readonly _tag: "Storage"
  readonly dtype: StoredDtype
  /** How the container calls its bytes. */
  readonly key: string
  readonly numElements: number
  /** Elements of the storage of that key before the first of this one. */
  readonly firstElement: number
}

export interface PickledTensor {
  readonly _tag: "Tensor"
  readonly storage: Storage
  readonly offset: number
  readonly shape: ReadonlyArray<number>
  readonly strides: ReadonlyArray<number>
}

/** Lists and tuples are arrays, dictionaries of all kinds are maps. */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | ReadonlyArray<PickleValue>
  | PickleDict
  | Global
  | Storage
  | PickledTensor

export type PickleDict = ReadonlyMap<PickleValue, PickleValue>

export const isDict = (value: PickleValue | undefined): value is PickleDict => value instanceof Map

export const isTensor = (value: PickleValue | undefined): value is PickledTensor =>
  hasTag(value) && value._tag === "Tensor"

export const isStorage = (value: PickleValue | undefined): value is Storage =>
  hasTag(value) && value._tag === "Storage"

export const isGlobal = (value: PickleValue | undefined): value is Global =>
  hasTag(value) && value._tag === "Global"

export const isList = (value: PickleValue | undefined): value is ReadonlyArray<PickleValue> =>
  Array.isArray(value)

const hasTag = (value: PickleValue | undefined): value is Global | Storage | PickledTensor =>
  typeof value === "object" && value !== null && "_tag" in value
