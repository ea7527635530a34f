/** Operations that treat each element alone. */
import { attribute } from "../attributes.ts"
import { light } from "../autocast.ts"
import { DataType } from "../capi.ts"
import type { GraphBackend, TensorInfo } from "../GraphBackend.ts"
import { dataTypeOf } from "../tensors.ts"
import { type Binary, type Dtype, type Kernel, kernel, type Unary } from "./Kernel.ts"

/** tfjs's name → TensorFlow's, where they differ in nothing else. */
const unaryNames: { readonly [name: string]: string } = {
  Abs: "Abs",
  Acos: "Acos",
  Acosh: "Acosh",
  Asin: "Asin",
  Asinh: "Asinh",
  Atan: "Atan",
  Atanh: "Atanh",
  Ceil: "Ceil",
  Cos: "Cos",
  Cosh: "Cosh",
  Erf: "Erf",
  Exp: "Exp",
  Expm1: "Expm1",
  Floor: "Floor",
  IsFinite: "IsFinite",
  IsInf: "IsInf",
  IsNan: "IsNan",
  Log: "Log",
  Log1p: "Log1p",
  Neg: "Neg",
  OnesLike: "OnesLike",
  Reciprocal: "Reciprocal",
  Round: "Rint",
  Rsqrt: "Rsqrt",
  Sigmoid: "Sigmoid",
  Sign: "Sign",
  Sin: "Sin",
  Sinh: "Sinh",
  Sqrt: "Sqrt",
  Square: "Square",
  Tan: "Tan",
  Tanh: "Tanh",
  ZerosLike: "ZerosLike"
}

/** Activations whose bfloat16 form loses nothing that the convolutions around them would keep. */
const activationNames = ["Elu", "Relu6", "Selu", "Softplus"]

const binaryNames: { readonly [name: string]: string } = {
  Atan2: "Atan2",
  Equal: "Equal",
  FloorDiv: "FloorDiv",
  Greater: "Greater",
  GreaterEqual: "GreaterEqual",
  Less: "Less",
  LessEqual: "LessEqual",
  Maximum: "Maximum",
  Minimum: "Minimum",
  Mod: "FloorMod",
  NotEqual: "NotEqual",
  Pow: "Pow",
  RealDiv: "RealDiv",
  SquaredDifference: "SquaredDifference",
  Sub: "Sub"
}

const unary = Object.entries(unaryNames).map(([name, operation]) =>
  kernel<Unary>(name, (backend, { x }) => backend.emit(operation, [backend.output(x)], backend.typeOf(x)))
)

const activations = activationNames.map((name) =>
  kernel<Unary>(name, (backend, { x }) => {
    const { emit, input } = light(backend, x)
    return emit(name, [input(x)])
  })
)

const binary = Object.entries(binaryNames).map(([name, operation]) =>
  kernel<Binary>(name, (backend, { a, b }) =>
    backend.emit(operation, [backend.output(a), backend.output(b)], backend.typeOf(a))
  )
)

const relu = kernel<Unary>("Relu", (backend, { x }) => {
  const { emit, input } = light(backend, x)
  const rectified = emit("Relu", [input(x)])
  backend.stored(x).rectified = backend.stored(rectified)
  return rectified
})

const leakyRelu = kernel<Unary, { alpha: number }>("LeakyRelu", (backend, { x }, { alpha }) => {
  const { emit, input } = light(backend, x)
  return emit("LeakyRelu", [input(x)], { alpha: attribute.float(alpha) })
})

/** Like `leakyRelu` with a slope for each channel. */
const prelu = kernel<{ x: TensorInfo; alpha: TensorInfo }>("Prelu", (backend, { x, alpha }) => {
  const { graph } = backend
  const source = backend.output(x)
  const positive = graph.output("Greater", [source, graph.scalar(0, "float32")], backend.typeOf(x))
  const below = graph.output("Mul", [source, backend.output(alpha)], backend.typeOf(x))
  return backend.emit("SelectV2", [positive, source, below], backend.typeOf(x))
})

const add = kernel<Binary>("Add", (backend, { a, b }) => {
  const { type, emit, input } = light(backend, a, b)
  const inputs = [input(a), input(b)]
  const alike = String(a.shape) === String(b.shape) && a.dtype === "float32"
  if (backend.cpu === undefined || !alike) return emit("AddV2", inputs)
  return backend.emitOwn("Add", inputs, { T: attribute.type(type) }, [a.shape])[0] as TensorInfo
})

/** `step(x)`: 1 above zero, `alpha` elsewhere. The gradient of ReLU is `dy * step(x)`. */
const step = kernel<Unary, { alpha?: number }>("Step", (backend, { x }, { alpha }) => {
  const { graph } = backend
  const positive = graph.output("Greater", [backend.output(x), graph.scalar(0, "float32")], backend.typeOf(x))
  if (alpha !== undefined && alpha !== 0) {
    const branches = [graph.scalar(1, "float32"), graph.scalar(alpha, "float32")]
    return backend.emit("SelectV2", [positive, ...branches], backend.typeOf(x))
  }
  const marks = backend.wrap(graph.cast(positive, DataType.bool, DataType.float32))
  const source = backend.stored(x)
  // Positive entries of relu(x) are those of x, and relu(x) is kept for the next layer's gradient anyway.
  backend.stored(marks).marksPositive = source.rectified ?? source
  return marks
})

/** `dy * step(x)` is one `ReluGrad` node; the comparison and cast behind it are then never run. */
const reluGradient = (backend: GraphBackend, dy: TensorInfo, marks: TensorInfo): TensorInfo | undefined => {
  const features = backend.stored(marks).marksPositive
  if (features === undefined || String(features.shape) !== String(dy.shape)) return undefined
  const low = features.computedLow === true && features.low !== undefined
  const output = low ? features.low : features.output
  if (output === undefined) return undefined
  const gradient = low ? backend.lowOutput(dy) : backend.output(dy)
  const type = low ? backend.lowType : DataType.float32
  return backend.emit("ReluGrad", [gradient, output], { T: attribute.type(type) })
}

const multiply = kernel<Binary>("Multiply", (backend, { a, b }) => {
  const gradient = reluGradient(backend, a, b) ?? reluGradient(backend, b, a)
  if (gradient !== undefined) return gradient
  const { emit, input } = light(backend, a, b)
  return emit("Mul", [input(a), input(b)])
})

const eluGradient = kernel<{ dy: TensorInfo; y: TensorInfo }>("EluGrad", (backend, { dy, y }) => {
  const { emit, input } = light(backend, y)
  return emit("EluGrad", [input(dy), input(y)])
})

const cast = kernel<Unary, { dtype: Dtype }>("Cast", (backend, { x }, { dtype }) => {
  if (x.dtype === dtype) return backend.share(x)
  return backend.wrap(backend.graph.cast(backend.output(x), dataTypeOf(x.dtype), dataTypeOf(dtype)))
})

const clip = kernel<Unary, { clipValueMin: number; clipValueMax: number }>(
  "ClipByValue",
  (backend, { x }, { clipValueMin, clipValueMax }) => {
    const bounds = [clipValueMin, clipValueMax].map((bound) => backend.graph.scalar(bound, x.dtype as Dtype))
    return backend.emit("ClipByValue", [backend.output(x), ...bounds], backend.typeOf(x))
  }
)

const select = kernel<{ condition: TensorInfo; t: TensorInfo; e: TensorInfo }>(
  "Select",
  (backend, { condition, t, e }) =>
    backend.emit(
      "SelectV2",
      [condition, t, e].map((tensor) => backend.output(tensor)),
      backend.typeOf(t)
    )
)

const logical = ["LogicalAnd", "LogicalOr"].map((name) =>
  kernel<Binary>(name, (backend, { a, b }) => backend.emit(name, [backend.output(a), backend.output(b)]))
)

const logicalNot = kernel<Unary>("LogicalNot", (backend, { x }) =>
  backend.emit("LogicalNot", [backend.output(x)])
)

const addN = kernel<{ [index: string]: TensorInfo }>("AddN", (backend, inputs) => {
  const tensors = Object.values(inputs)
  const { emit, input } = light(backend, ...tensors)
  return emit("AddN", [tensors.map(input)], { N: attribute.int(tensors.length) })
})

export const elementwise: ReadonlyArray<Kernel> = [
  ...unary,
  ...activations,
  ...binary,
  ...logical,
  logicalNot,
  relu,
  leakyRelu,
  prelu,
  add,
  addN,
  step,
  multiply,
  eluGradient,
  cast,
  clip,
  select
]
