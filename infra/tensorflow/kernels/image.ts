/** Resizing and flipping `[N, H, W, C]`. */
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

const flip = kernel<{ image: TensorInfo }>("FlipLeftRight", (backend, { image }) =>
  backend.emit("ReverseV2", [backend.output(image), backend.graph.ints([2])], {
    ...backend.typeOf(image),
    Tidx: attribute.type(DataType.int32)
  })
)

export const image: ReadonlyArray<Kernel> = [...forward, bilinearGradient, nearestGradient, flip]
