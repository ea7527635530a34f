/** Resizing, cropping, flipping and normalising `[N, H, W, C]`. */
import { attribute } from "../attributes.ts"
import { DataType } from "../capi.ts"
import type { TensorInfo } from "../GraphBackend.ts"
import { type Kernel, kernel } from "./Kernel.ts"

interface ResizeAttrs {
  readonly alignCorners: boolean
  readonly halfPixelCenters: boolean
  readonly size: [number, number]
}

const alignment = ({ alignCorners, halfPixelCenters }: ResizeAttrs) => ({
  align_corners: attribute.bool(alignCorners),
  half_pixel_centers: attribute.bool(halfPixelCenters === true)
})

const forward = ["ResizeBilinear", "ResizeNearestNeighbor"].map((name) =>
  kernel<{ images: TensorInfo }, ResizeAttrs>(name, (backend, { images }, attrs) =>
    backend.emit(name, [backend.output(images), backend.graph.ints(attrs.size)], {
      ...backend.typeOf(images),
      ...alignment(attrs)
    })
  )
)

const bilinearGradient = kernel<{ images: TensorInfo; dy: TensorInfo }, ResizeAttrs>(
  "ResizeBilinearGrad",
  (backend, { images, dy }, attrs) =>
    backend.emit("ResizeBilinearGrad", [backend.output(dy), backend.output(images)], {
      ...backend.typeOf(images),
      ...alignment(attrs)
    })
)

const nearestGradient = kernel<{ images: TensorInfo; dy: TensorInfo }, ResizeAttrs>(
  "ResizeNearestNeighborGrad",
  (backend, { images, dy }, attrs) =>
    backend.emit(
      "ResizeNearestNeighborGrad",
      [backend.output(dy), backend.graph.ints(images.shape.slice(1, 3))],
      { ...backend.typeOf(images), ...alignment(attrs) }
    )
)

interface CropAttrs {
  readonly cropSize: [number, number]
  readonly method: "bilinear" | "nearest"
  readonly extrapolationValue: number
}

const crop = kernel<{ [K in "image" | "boxes" | "boxInd"]: TensorInfo }, CropAttrs>(
  "CropAndResize",
  (backend, { image, boxes, boxInd }, { cropSize, extrapolationValue, method }) => {
    const inputs = [image, boxes, boxInd].map((tensor) => backend.output(tensor))
    return backend.emit("CropAndResize", [...inputs, backend.graph.ints(cropSize)], {
      ...backend.typeOf(image),
      method: attribute.string(method),
      extrapolation_value: attribute.float(extrapolationValue)
    })
  }
)

interface ResponseAttrs {
  readonly depthRadius: number
  readonly bias: number
  readonly alpha: number
  readonly beta: number
}

const responseAttributes = ({ alpha, beta, bias, depthRadius }: ResponseAttrs) => ({
  depth_radius: attribute.int(depthRadius),
  bias: attribute.float(bias),
  alpha: attribute.float(alpha),
  beta: attribute.float(beta)
})

/** Local response normalisation (Krizhevsky et al. 2012, section 3.3). */
const response = kernel<{ x: TensorInfo }, ResponseAttrs>("LRN", (backend, { x }, attrs) =>
  backend.emit("LRN", [backend.output(x)], { ...backend.typeOf(x), ...responseAttributes(attrs) })
)

const responseGradient = kernel<{ [K in "x" | "y" | "dy"]: TensorInfo }, ResponseAttrs>(
  "LRNGrad",
  (backend, { x, y, dy }, attrs) => {
    const inputs = [dy, x, y].map((tensor) => backend.output(tensor))
    return backend.emit("LRNGrad", inputs, { ...backend.typeOf(x), ...responseAttributes(attrs) })
  }
)

const flip = kernel<{ image: TensorInfo }>("FlipLeftRight", (backend, { image }) =>
  backend.emit("ReverseV2", [backend.output(image), backend.graph.ints([2])], {
    ...backend.typeOf(image),
    Tidx: attribute.type(DataType.int32)
  })
)

export const image: ReadonlyArray<Kernel> = [
  ...forward,
  bilinearGradient,
  nearestGradient,
  flip,
  crop,
  response,
  responseGradient
]
