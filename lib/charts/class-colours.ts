/** A colour for every class, told apart from its neighbours in the list, on photographs and off them. */

/** Red, green, blue, 0…255. */
export type Rgb = readonly [red: number, green: number, blue: number]

/** Chosen by eye: far apart in hue or lightness, the first ones the farthest. */
const palette: ReadonlyArray<Rgb> = [
  [230, 57, 70],
  [42, 157, 244],
  [255, 190, 11],
  [46, 190, 110],
  [178, 84, 240],
  [251, 117, 22],
  [0, 200, 200],
  [247, 127, 190],
  [141, 153, 30],
  [70, 80, 200],
  [160, 92, 52],
  [176, 224, 90],
  [122, 20, 60],
  [20, 105, 95],
  [200, 170, 255],
  [120, 130, 145]
]

/** Beyond the palette: hues a golden angle apart, so that neighbours differ; lightness in three grades. */
const furtherColour = (index: number): Rgb => {
  const hue = (index * 137.508) % 360
  const lightness = [0.5, 0.7, 0.35][index % 3]!
  return hslToRgb(hue, 0.75, lightness)
}

const hslToRgb = (hue: number, saturation: number, lightness: number): Rgb => {
  const channel = (offset: number): number => {
    const k = (offset + hue / 30) % 12
    const reach = saturation * Math.min(lightness, 1 - lightness)
    return Math.round(255 * (lightness - reach * Math.max(-1, Math.min(k - 3, 9 - k, 1))))
  }
  return [channel(0), channel(8), channel(4)]
}

export const classColour = (index: number): Rgb => palette[index] ?? furtherColour(index)

/** Pixels that no class claims are shown as they are: a whole picture in one colour says nothing. */
const isBackground = (name: string): boolean => /^(background|__background__)$/i.test(name)

/** Colours of masks: `null` for the class that stands for "none of the others". */
export const maskColours = (classes: ReadonlyArray<string>): ReadonlyArray<Rgb | null> =>
  classes.map((name, index) => (isBackground(name) ? null : classColour(index)))

/** Pixels nobody asks about. */
export const ignoredColour: Rgb = [128, 128, 128]

/** Black or white, whichever is read more easily on this colour (luma of ITU-R BT.601). */
export const inkOn = ([red, green, blue]: Rgb): Rgb =>
  0.299 * red + 0.587 * green + 0.114 * blue > 140 ? [0, 0, 0] : [255, 255, 255]

/** `#rrggbb` */
export const cssColour = (colour: Rgb): string =>
  `#${colour.map((value) => value.toString(16).padStart(2, "0")).join("")}`
