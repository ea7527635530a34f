/** The shapes of the `scenes` dataset: what lies inside each, in its own coordinates. */

/** Class names in the order of their indices. */
export const shapeNames = [
  "circle",
  "square",
  "triangle",
  "cross",
  "ring",
  "star",
  "bar",
  "crescent"
] as const
export type ShapeName = (typeof shapeNames)[number]

/** Whether a point of the shape's own plane lies in it. Every shape fits into the unit circle. */
export type Inside = (u: number, v: number) => boolean

const squareOf = (value: number): number => value * value

/** Half the side of a square whose corners lie just inside the unit circle. */
const halfSide = 0.7
const rootOf3 = 1.7320508

/** Corners of a five-pointed star, inner radius 0.45, as [u, v]; written out so that no sine is computed. */
const starCorners: ReadonlyArray<readonly [number, number]> = [
  [0, -1],
  [0.2645, -0.3641],
  [0.9511, -0.309],
  [0.428, 0.1391],
  [0.5878, 0.809],
  [0, 0.45],
  [-0.5878, 0.809],
  [-0.428, 0.1391],
  [-0.9511, -0.309],
  [-0.2645, -0.3641]
]

/** Even-odd rule: a ray to the right crosses the outline an odd number of times. Called 16 times a pixel. */
const insidePolygon = (corners: ReadonlyArray<readonly [number, number]>): Inside => {
  const us = Float64Array.from(corners, ([u]) => u)
  const vs = Float64Array.from(corners, ([, v]) => v)
  return (u, v) => {
    let inside = false
    for (let i = 0, j = us.length - 1; i < us.length; j = i++) {
      const [above, below] = [vs[i]! > v, vs[j]! > v]
      if (above !== below && u < ((us[j]! - us[i]!) * (v - vs[i]!)) / (vs[j]! - vs[i]!) + us[i]!) {
        inside = !inside
      }
    }
    return inside
  }
}

export const insideOf: { readonly [name in ShapeName]: Inside } = {
  circle: (u, v) => u * u + v * v <= 0.9,
  square: (u, v) => Math.max(Math.abs(u), Math.abs(v)) <= halfSide,
  triangle: (u, v) => v <= 0.5 && v >= rootOf3 * Math.abs(u) - 1,
  cross: (u, v) => {
    const [a, b] = [Math.abs(u), Math.abs(v)]
    return Math.max(a, b) <= 0.94 && Math.min(a, b) <= 0.29
  },
  ring: (u, v) => {
    const radius2 = u * u + v * v
    return radius2 <= 0.95 && radius2 >= 0.3
  },
  star: insidePolygon(starCorners),
  bar: (u, v) => Math.abs(u) <= 0.96 && Math.abs(v) <= 0.26,
  crescent: (u, v) => u * u + v * v <= 1 && squareOf(u - 0.48) + v * v >= squareOf(0.78)
}
