/** The constants of an ONNX graph, under names of their own. */
import type { Shape } from "./InferenceGraph.ts"
import { floatsProto, intsProto } from "./onnx-messages.ts"
import type { Message } from "./protobuf.ts"

export class OnnxConstants {
  readonly #messages = new Map<string, Message>()
  /** By wanted name and shape. */
  readonly #names = new Map<string, string>()

  get messages(): Iterable<Message> {
    return this.#messages.values()
  }

  /** The name to read it by. Values belong to a name and shape: they are written once. */
  floats(name: string, shape: Shape, values: Float32Array): string {
    return this.#add(name, shape, (own) => floatsProto(own, shape, values))
  }

  ints(name: string, values: ReadonlyArray<number | bigint>): string {
    return this.#add(name, [values.length], (own) => intsProto(own, values))
  }

  /** What is used in two shapes is two, of which the first has the plain name. */
  #add(name: string, shape: Shape, make: (own: string) => Message): string {
    const key = `${name}/${shape.join("x")}`
    const known = this.#names.get(key)
    if (known !== undefined) return known
    const own = this.#messages.has(name) ? key : name
    this.#messages.set(own, make(own))
    this.#names.set(key, own)
    return own
  }
}
