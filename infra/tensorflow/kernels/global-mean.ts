/** Average pooling of whole feature maps `[N, H, W, C]`: means in float32 of maps in either type. */
import { GLOBAL_MEAN, GLOBAL_MEAN_GRADIENT } from "../../../lib/tensor/global-mean.ts"
import { type Attributes, attribute } from "../attributes.ts"
import { light } from "../autocast.ts"
import { DataType } from "../capi.ts"
import type { GraphBackend, TensorInfo } from "../GraphBackend.ts"
import { type Kernel, kernel, type Unary } from "./Kernel.ts"

const attributesOf = (backend: GraphBackend, x: TensorInfo): Attributes => {
  const [, height = 0, width = 0, channels = 0] = x.shape
  return {
    T: attribute.type(light(backend, x).type),
    height: attribute.float(height),
    width: attribute.float(width),
    channels: attribute.float(channels)
  }
}

const mean = kernel<Unary>(GLOBAL_MEAN, (backend, { x }) => {
  const [batch = 0, , , channels = 0] = x.shape
  if (backend.cpu !== undefined) {
    const inputs = [light(backend, x).input(x)]
    return backend.emitOwn("GlobalMean", inputs, attributesOf(backend, x), [
      [batch, channels]
    ])[0] as TensorInfo
  }
  return backend.emit("Mean", [backend.output(x), backend.graph.ints([1, 2])], {
    T: attribute.type(DataType.float32),
    Tidx: attribute.type(DataType.int32),
    keep_dims: attribute.bool(false)
  })
})

const gradient = kernel<{ dy: TensorInfo; x: TensorInfo }>(GLOBAL_MEAN_GRADIENT, (backend, { dy, x }) => {
  if (backend.cpu !== undefined) {
    const inputs = [backend.output(dy)]
    return backend.emitOwn("GlobalMeanGradient", inputs, attributesOf(backend, x), [x.shape])[0] as TensorInfo
  }
  const { graph } = backend
  const [batch = 0, height = 0, width = 0, channels = 0] = x.shape
  const T = attribute.type(DataType.float32)
  const share = graph.output("Mul", [backend.output(dy), graph.scalar(1 / (height * width), "float32")], {
    T
  })
  const index = attribute.type(DataType.int32)
  const pixel = graph.output("Reshape", [share, graph.ints([batch, 1, 1, channels])], { T, Tshape: index })
  return backend.emit("Tile", [pixel, graph.ints([1, height, width, 1])], { T, Tmultiples: index })
})

export const globalMean: ReadonlyArray<Kernel> = [mean, gradient]
