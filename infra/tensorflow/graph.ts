/** A TensorFlow graph under construction. Graphs only grow: nodes cannot be taken out again. */
import { type Attributes, attribute, int64 } from "./attributes.ts"
import { DataType, type Output, type Pointer, type TensorFlow } from "./capi.ts"
import { dataTypeOf, sizeOf, type TfjsDtype, tensorFrom, type Values, valuesOf } from "./tensors.ts"

/** Inputs of a node in order; an array stands for one list-valued input (as `ConcatV2` has). */
export type NodeInputs = ReadonlyArray<Output | ReadonlyArray<Output>>

export class Graph {
  readonly library: TensorFlow
  readonly pointer: Pointer
  private nodes = 0
  private readonly constants = new Map<string, Output>()
  /** Nodes whose output is, or may be, the very memory that is fed. */
  private readonly aliases = new Set<Pointer>()

  constructor(library: TensorFlow) {
    this.library = library
    this.pointer = library.call.TF_NewGraph() as Pointer
  }

  /** How many nodes the graph holds. */
  get size(): number {
    return this.nodes
  }

  close(): void {
    this.library.call.TF_DeleteGraph(this.pointer)
  }

  /** Adds a node. Throws `TensorFlowFailure` where inputs, attributes or shapes do not fit the operation. */
  node(
    type: string,
    inputs: NodeInputs = [],
    attributes: Attributes = {},
    after: ReadonlyArray<Pointer> = []
  ): Pointer {
    const { call } = this.library
    const description = call.TF_NewOperation(this.pointer, type, `${type}_${this.nodes}`) as Pointer
    this.nodes += 1
    for (const input of inputs) {
      if (Array.isArray(input)) call.TF_AddInputList(description, input, input.length)
      else call.TF_AddInput(description, input)
    }
    for (const earlier of after) call.TF_AddControlInput(description, earlier)
    for (const [name, write] of Object.entries(attributes)) write(this.library, description, name)
    const made = this.library.checked((status) => call.TF_FinishOperation(description, status)) as Pointer
    const first = inputs[0] as Output | undefined
    const passesOn = ALIASING.has(type) && first !== undefined && this.aliases.has(first.oper)
    if (type === "Placeholder" || passesOn) this.aliases.add(made)
    return made
  }

  /** Whether an output may be an input's memory under another name. */
  mayShareInput({ oper }: Output): boolean {
    return this.aliases.has(oper)
  }

  /** Adds a node and answers its first output. */
  output(type: string, inputs?: NodeInputs, attributes?: Attributes): Output {
    return { oper: this.node(type, inputs, attributes), index: 0 }
  }

  /** Says the shape of an output, where TensorFlow cannot infer it: operations of ours. */
  declareShape(output: Output, shape: ReadonlyArray<number>): void {
    const dims = int64(shape)
    this.library.checked((status) =>
      this.library.call.TF_GraphSetTensorShape(this.pointer, output, dims, shape.length, status)
    )
  }

  /** What TensorFlow's shape inference says about an output. Throws if the shape depends on values. */
  describe(output: Output): { readonly shape: Array<number>; readonly type: DataType } {
    const { shape, type } = this.inferred(output)
    if (shape === undefined || shape.some((length) => length < 0)) {
      throw new Error(`a tensor whose shape depends on values cannot be traced (got ${shape ?? "?"})`)
    }
    return { shape, type }
  }

  /** The outputs that the node of a name reads; none if the graph has no such node. */
  inputsOf(name: string): ReadonlyArray<ReturnType<Graph["inferred"]>> {
    const { call } = this.library
    const oper = call.TF_GraphOperationByName(this.pointer, name) as Pointer | null
    if (oper === null) return []
    return Array.from({ length: call.TF_OperationNumInputs(oper) as number }, (_, index) =>
      this.inferred(call.TF_OperationInput({ oper, index }) as Output)
    )
  }

  /** Without a shape if not even the rank is known; extents that depend on values are -1. */
  private inferred(output: Output): { readonly shape: Array<number> | undefined; readonly type: DataType } {
    const { call } = this.library
    const type = call.TF_OperationOutputType(output) as DataType
    const rank = this.library.checked((status) =>
      call.TF_GraphGetTensorNumDims(this.pointer, output, status)
    ) as number
    if (rank < 0) return { shape: undefined, type }
    const dims = new BigInt64Array(rank)
    if (rank > 0) {
      this.library.checked((status) => call.TF_GraphGetTensorShape(this.pointer, output, dims, rank, status))
    }
    return { shape: Array.from(dims, Number), type }
  }

  /**
   * A constant; equal small ones are one node, and a tensor of one repeated value takes no room in the graph.
   */
  constant(values: Values, shape: ReadonlyArray<number>, dtype: TfjsDtype): Output {
    if (values.length > SMALL) return this.largeConstant(values, shape, dtype)
    const key = `${dtype}|${shape}|${Array.from(values, (value) => (Object.is(value, -0) ? "-0" : value))}`
    const known = this.constants.get(key)
    if (known !== undefined) return known
    const made = this.literal(values, shape, dtype)
    this.constants.set(key, made)
    return made
  }

  scalar(value: number, dtype: TfjsDtype): Output {
    return this.constant(valuesOf(dtype, [value]), [], dtype)
  }

  /** A vector of int32, the form in which many operations take shapes and axes. */
  ints(values: ReadonlyArray<number>): Output {
    return this.constant(Int32Array.from(values), [values.length], "int32")
  }

  intScalar(value: number): Output {
    return this.scalar(value, "int32")
  }

  /** A float32 tensor in another float type. */
  cast(input: Output, from: DataType, to: DataType): Output {
    return this.output("Cast", [input], { SrcT: attribute.type(from), DstT: attribute.type(to) })
  }

  private largeConstant(values: Values, shape: ReadonlyArray<number>, dtype: TfjsDtype): Output {
    const first = values[0] ?? 0
    if (!values.every((value) => Object.is(value, first))) return this.literal(values, shape, dtype)
    return this.output("Fill", [this.ints(shape), this.scalar(first, dtype)], {
      T: attribute.type(dataTypeOf(dtype)),
      index_type: attribute.type(DataType.int32)
    })
  }

  private literal(values: Values, shape: ReadonlyArray<number>, dtype: TfjsDtype): Output {
    if (values.length !== sizeOf(shape)) {
      throw new Error(`${values.length} values do not fill the shape [${shape}]`)
    }
    const tensor = tensorFrom(this.library, values, shape, dtype)
    try {
      return this.output("Const", [], {
        value: attribute.tensor(tensor),
        dtype: attribute.type(dataTypeOf(dtype))
      })
    } finally {
      this.library.call.TF_DeleteTensor(tensor)
    }
  }
}

/** Operations that may hand on their first input's memory. */
const ALIASING = new Set(["Reshape", "Slice", "Unpack", "SplitV"])

/** Constants of at most this many elements are compared and shared. */
const SMALL = 32
