import sharp, { type Sharp } from "sharp"
import { layer } from "../../../infra/images/SharpImageCodec.ts"
import { type ImageFiles, suite } from "../../suites/imageCodec.ts"

const halves = (): Sharp => {
  const pixels = Uint8Array.from({ length: 8 * 16 }, () => 0)
  const colours = Array.from(pixels, (_, index) => (index % 16 < 8 ? [200, 30, 40] : [20, 60, 220])).flat()
  return sharp(Uint8Array.from(colours), { raw: { width: 16, height: 8, channels: 3 } })
}

const grey = () => sharp(new Uint8Array(64).fill(100), { raw: { width: 8, height: 8, channels: 1 } })

const makeFiles = async (): Promise<ImageFiles> => {
  const turned = await halves().rotate(270).png().toBuffer()
  return {
    png: await halves().png().toBuffer(),
    png16: await halves().toColourspace("rgb16").png().toBuffer(),
    pngAlpha: await halves().ensureAlpha(1).png().toBuffer(),
    pngPalette: await halves().png({ palette: true, colours: 8, dither: 0 }).toBuffer(),
    webp: await halves().webp({ quality: 90 }).toBuffer(),
    jpeg: await halves().jpeg({ quality: 95, chromaSubsampling: "4:4:4" }).toBuffer(),
    // Orientation 6: to be seen upright, turn it by 90° clockwise.
    jpegTurned: await sharp(turned)
      .jpeg({ quality: 95, chromaSubsampling: "4:4:4" })
      .withMetadata({ orientation: 6 })
      .toBuffer(),
    jpegCmyk: await halves()
      .toColourspace("cmyk")
      .jpeg({ quality: 95, chromaSubsampling: "4:4:4" })
      .toBuffer(),
    jpegGrey: await grey().toColourspace("b-w").jpeg({ quality: 95 }).toBuffer(),
    svg: new TextEncoder().encode('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')
  }
}

suite("sharp", layer, makeFiles())
