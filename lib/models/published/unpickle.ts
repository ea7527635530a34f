/**
 * Python's pickles as far as `torch.save` writes them: the binary operations of protocols 2 to 5 that make
 * numbers, texts, lists and dictionaries, and names of an allow-list (`torchGlobals.ts`). Whatever else a
 * pickle asks for is refused, as PyTorch does under `weights_only=True`. Time and memory are in proportion to
 * the bytes. It throws `WeightsFileInvalid` and `ForbiddenGlobal`.
 */
import { Result } from "effect"
import { isDict, isGlobal, isList, type PickleValue } from "./PickleValue.ts"
import { call, globalOf } from "./torchGlobals.ts"
import { refusedTorch } from "./WeightsFileInvalid.ts"

export interface Unpickled {
  readonly value: PickleValue
  /** Where the next byte after the pickle is. */
  readonly end: number
}

/** What a persistent id stands for: for `torch.save`, a storage. */
export type Load = (id: PickleValue) => PickleValue

/** Reads the pickle that begins at `begin`. */
export const unpickle = (bytes: Uint8Array, begin: number, load: Load): Unpickled => {
  const machine = new Machine(bytes, begin, load)
  while (true) {
    const at = machine.at
    const code = machine.uint(1)
    if (code === stop) return { value: machine.pop(), end: machine.at }
    const operation = operations.get(code)
    if (operation === undefined) {
      const hex = code.toString(16).padStart(2, "0")
      throw refusedTorch(`its pickle has the operation 0x${hex} at byte ${at}, which weights have no need of`)
    }
    operation(machine)
  }
}

class Machine {
  at: number
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #load: Load
  readonly #stack: Array<PickleValue> = []
  readonly #marks: Array<number> = []
  readonly #memo = new Map<number, PickleValue>()
  /** Items that calls may still copy: a list may be given to many. */
  #copies: number

  constructor(bytes: Uint8Array, begin: number, load: Load) {
    this.at = begin
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#load = load
    this.#copies = bytes.length
  }

  bytes(length: number): Uint8Array {
    if (length > this.#bytes.length - this.at) {
      throw refusedTorch(`its pickle breaks off after ${this.#bytes.length} bytes`)
    }
    this.at += length
    return this.#bytes.subarray(this.at - length, this.at)
  }

  uint(size: 1 | 2 | 4): number {
    const at = this.at
    this.bytes(size)
    return size === 1
      ? this.#view.getUint8(at)
      : size === 2
        ? this.#view.getUint16(at, true)
        : this.#view.getUint32(at, true)
  }

  /** Beyond 2^53 it is rounded: more than there are bytes. */
  uint64(): number {
    return this.uint(4) + this.uint(4) * 2 ** 32
  }

  /** Big-endian, unlike all other numbers. */
  float64(): number {
    const at = this.at
    this.bytes(8)
    return this.#view.getFloat64(at)
  }

  text(length: number): string {
    return decoded(this.bytes(length))
  }

  /** Up to the next line feed, which is not part of it. */
  line(): string {
    const end = this.#bytes.indexOf(0x0a, this.at)
    if (end === -1) throw refusedTorch(`its pickle breaks off after ${this.#bytes.length} bytes`)
    const line = this.text(end - this.at)
    this.at = end + 1
    return line
  }

  push(value: PickleValue): void {
    this.#stack.push(value)
  }

  top(): PickleValue {
    if (this.#stack.length <= (this.#marks.at(-1) ?? 0)) {
      throw refusedTorch("its pickle takes more values than it made")
    }
    return this.#stack.at(-1)!
  }

  pop(): PickleValue {
    const value = this.top()
    this.#stack.pop()
    return value
  }

  /** The last `count` values. */
  popMany(count: number): ReadonlyArray<PickleValue> {
    return Array.from({ length: count }, () => this.pop()).reverse()
  }

  mark(): void {
    this.#marks.push(this.#stack.length)
  }

  popToMark(): ReadonlyArray<PickleValue> {
    const mark = this.#marks.pop()
    if (mark === undefined) throw refusedTorch("its pickle takes more values than it made")
    return this.#stack.splice(mark)
  }

  remember(index: number): void {
    this.#memo.set(index, this.top())
  }

  memoize(): void {
    this.remember(this.#memo.size)
  }

  recall(index: number): void {
    const value = this.#memo.get(index)
    if (value === undefined) throw refusedTorch(`its pickle recalls value ${index}, which it never kept`)
    this.push(value)
  }

  load(): void {
    this.push(this.#load(this.pop()))
  }

  reduce(): void {
    const args = this.pop()
    const callable = this.pop()
    if (!isGlobal(callable) || !isList(args)) throw refusedTorch("its pickle calls what is no function")
    for (const argument of args) this.#copies -= isList(argument) ? argument.length : 0
    if (this.#copies < 0) throw refusedTorch("its pickle asks for more work than weights can need")
    this.push(call(callable, args))
  }
}

const decoded = (bytes: Uint8Array): string => {
  const text = Result.try(() => new TextDecoder("utf-8", { fatal: true }).decode(bytes))
  if (Result.isFailure(text)) throw refusedTorch("a text of its pickle is not UTF-8")
  return text.success
}

type Operation = (machine: Machine) => void

const stop = 0x2e

const versionMax = 5

/** Two's complement, little-endian. */
const integer = (bytes: Uint8Array): PickleValue => {
  if (bytes.length === 0) return 0
  if (bytes.length > 16) throw refusedTorch(`its pickle has a whole number of ${bytes.length} bytes`)
  const digits = Array.from(bytes.toReversed(), (byte) => byte.toString(16).padStart(2, "0")).join("")
  const value = BigInt.asIntN(8 * bytes.length, BigInt(`0x${digits}`))
  const narrow = Number(value)
  return Number.isSafeInteger(narrow) ? narrow : value
}

const isMap = (value: PickleValue): value is Map<PickleValue, PickleValue> => isDict(value)

const isArray = (value: PickleValue): value is Array<PickleValue> => isList(value)

const setItems = (machine: Machine, items: ReadonlyArray<PickleValue>): void => {
  const dict = machine.top()
  if (!isMap(dict) || items.length % 2 !== 0) throw refusedTorch("its pickle fills what is no dictionary")
  for (let index = 0; index < items.length; index += 2) dict.set(items[index]!, items[index + 1]!)
}

const append = (machine: Machine, items: ReadonlyArray<PickleValue>): void => {
  const list = machine.top()
  if (!isArray(list)) throw refusedTorch("its pickle lengthens what is no list")
  for (const item of items) list.push(item)
}

/** An OrderedDict's attributes, versions of a model's parts, are of no use here. */
const build = (machine: Machine): void => {
  machine.pop()
  if (!isDict(machine.top())) throw refusedTorch("its pickle gives attributes to what can have none")
}

/** Module and name are two lines of text, or two values. */
const stackGlobal = (machine: Machine): void => {
  const name = machine.pop()
  const module = machine.pop()
  if (typeof name !== "string" || typeof module !== "string") {
    throw refusedTorch("its pickle asks for something by a name that is no text")
  }
  machine.push(globalOf(module, name))
}

/** By their codes; names are those of Python's `pickletools`. */
const operations: ReadonlyMap<number, Operation> = new Map<number, Operation>([
  /* PROTO */ [
    0x80,
    (m) => {
      const version = m.uint(1)
      if (version > versionMax) throw refusedTorch(`its pickle is of version ${version}, later than 5`)
    }
  ],
  /* FRAME */ [0x95, (m) => void m.bytes(8)],
  /* MARK */ [0x28, (m) => m.mark()],
  /* POP */ [0x30, (m) => void m.pop()],
  /* POP_MARK */ [0x31, (m) => void m.popToMark()],
  /* DUP */ [0x32, (m) => m.push(m.top())],
  /* NONE */ [0x4e, (m) => m.push(null)],
  /* NEWTRUE */ [0x88, (m) => m.push(true)],
  /* NEWFALSE */ [0x89, (m) => m.push(false)],
  /* BININT */ [0x4a, (m) => m.push(m.uint(4) | 0)],
  /* BININT1 */ [0x4b, (m) => m.push(m.uint(1))],
  /* BININT2 */ [0x4d, (m) => m.push(m.uint(2))],
  /* LONG1 */ [0x8a, (m) => m.push(integer(m.bytes(m.uint(1))))],
  /* LONG4 */ [0x8b, (m) => m.push(integer(m.bytes(m.uint(4))))],
  /* BINFLOAT */ [0x47, (m) => m.push(m.float64())],
  /* SHORT_BINSTRING */ [0x55, (m) => m.push(m.text(m.uint(1)))],
  /* BINSTRING */ [0x54, (m) => m.push(m.text(m.uint(4)))],
  /* SHORT_BINUNICODE */ [0x8c, (m) => m.push(m.text(m.uint(1)))],
  /* BINUNICODE */ [0x58, (m) => m.push(m.text(m.uint(4)))],
  /* BINUNICODE8 */ [0x8d, (m) => m.push(m.text(m.uint64()))],
  /* SHORT_BINBYTES */ [0x43, (m) => m.push(m.bytes(m.uint(1)))],
  /* BINBYTES */ [0x42, (m) => m.push(m.bytes(m.uint(4)))],
  /* BINBYTES8 */ [0x8e, (m) => m.push(m.bytes(m.uint64()))],
  /* EMPTY_TUPLE */ [0x29, (m) => m.push([])],
  /* TUPLE */ [0x74, (m) => m.push(m.popToMark())],
  /* TUPLE1 */ [0x85, (m) => m.push(m.popMany(1))],
  /* TUPLE2 */ [0x86, (m) => m.push(m.popMany(2))],
  /* TUPLE3 */ [0x87, (m) => m.push(m.popMany(3))],
  /* EMPTY_LIST */ [0x5d, (m) => m.push([])],
  /* APPEND */ [0x61, (m) => append(m, m.popMany(1))],
  /* APPENDS */ [0x65, (m) => append(m, m.popToMark())],
  /* EMPTY_DICT */ [0x7d, (m) => m.push(new Map())],
  /* SETITEM */ [0x73, (m) => setItems(m, m.popMany(2))],
  /* SETITEMS */ [0x75, (m) => setItems(m, m.popToMark())],
  /* BINPUT */ [0x71, (m) => m.remember(m.uint(1))],
  /* LONG_BINPUT */ [0x72, (m) => m.remember(m.uint(4))],
  /* MEMOIZE */ [0x94, (m) => m.memoize()],
  /* BINGET */ [0x68, (m) => m.recall(m.uint(1))],
  /* LONG_BINGET */ [0x6a, (m) => m.recall(m.uint(4))],
  /* GLOBAL */ [0x63, (m) => m.push(globalOf(m.line(), m.line()))],
  /* STACK_GLOBAL */ [0x93, stackGlobal],
  /* REDUCE */ [0x52, (m) => m.reduce()],
  /* NEWOBJ */ [0x81, (m) => m.reduce()],
  /* BUILD */ [0x62, build],
  /* BINPERSID */ [0x51, (m) => m.load()]
])
