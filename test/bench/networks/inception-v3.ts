/**
 * Inception-V3 (Szegedy et al. 2015, arXiv 1512.00567) as torchvision builds it, less the auxiliary head and
 * the dropout, both of which change little of the time and would be random. Averages leave the padding out.
 */
import { concat, conv, type Layer, type Network, pool, sequence } from "./Layer.ts"

export const inceptionV3 = (): Network => ({
  layers: [
    conv("Conv2d_1a_3x3", 3, 32, { size: 3, stride: 2, padding: 0 }),
    conv("Conv2d_2a_3x3", 32, 32, { size: 3, padding: 0 }),
    conv("Conv2d_2b_3x3", 32, 64, { size: 3 }),
    pool("max", 3, 2, 0),
    conv("Conv2d_3b_1x1", 64, 80),
    conv("Conv2d_4a_3x3", 80, 192, { size: 3, padding: 0 }),
    pool("max", 3, 2, 0),
    blockA("Mixed_5b", 192, 32),
    blockA("Mixed_5c", 256, 64),
    blockA("Mixed_5d", 288, 64),
    blockB("Mixed_6a", 288),
    blockC("Mixed_6b", 128),
    blockC("Mixed_6c", 160),
    blockC("Mixed_6d", 160),
    blockC("Mixed_6e", 192),
    blockD("Mixed_7a", 768),
    blockE("Mixed_7b", 1280),
    blockE("Mixed_7c", 2048)
  ],
  channels: 2048
})

const blockA = (name: string, inputs: number, poolOutputs: number): Layer =>
  concat(
    conv(`${name}.branch1x1`, inputs, 64),
    sequence(conv(`${name}.branch5x5_1`, inputs, 48), conv(`${name}.branch5x5_2`, 48, 64, { size: 5 })),
    sequence(
      conv(`${name}.branch3x3dbl_1`, inputs, 64),
      conv(`${name}.branch3x3dbl_2`, 64, 96, { size: 3 }),
      conv(`${name}.branch3x3dbl_3`, 96, 96, { size: 3 })
    ),
    sequence(pool("average", 3, 1, 1), conv(`${name}.branch_pool`, inputs, poolOutputs))
  )

const blockB = (name: string, inputs: number): Layer =>
  concat(
    conv(`${name}.branch3x3`, inputs, 384, { size: 3, stride: 2, padding: 0 }),
    sequence(
      conv(`${name}.branch3x3dbl_1`, inputs, 64),
      conv(`${name}.branch3x3dbl_2`, 64, 96, { size: 3 }),
      conv(`${name}.branch3x3dbl_3`, 96, 96, { size: 3, stride: 2, padding: 0 })
    ),
    pool("max", 3, 2, 0)
  )

const blockC = (name: string, width: number): Layer =>
  concat(
    conv(`${name}.branch1x1`, 768, 192),
    sequence(
      conv(`${name}.branch7x7_1`, 768, width),
      conv(`${name}.branch7x7_2`, width, width, { size: [1, 7] }),
      conv(`${name}.branch7x7_3`, width, 192, { size: [7, 1] })
    ),
    sequence(
      conv(`${name}.branch7x7dbl_1`, 768, width),
      conv(`${name}.branch7x7dbl_2`, width, width, { size: [7, 1] }),
      conv(`${name}.branch7x7dbl_3`, width, width, { size: [1, 7] }),
      conv(`${name}.branch7x7dbl_4`, width, width, { size: [7, 1] }),
      conv(`${name}.branch7x7dbl_5`, width, 192, { size: [1, 7] })
    ),
    sequence(pool("average", 3, 1, 1), conv(`${name}.branch_pool`, 768, 192))
  )

const blockD = (name: string, inputs: number): Layer =>
  concat(
    sequence(
      conv(`${name}.branch3x3_1`, inputs, 192),
      conv(`${name}.branch3x3_2`, 192, 320, { size: 3, stride: 2, padding: 0 })
    ),
    sequence(
      conv(`${name}.branch7x7x3_1`, inputs, 192),
      conv(`${name}.branch7x7x3_2`, 192, 192, { size: [1, 7] }),
      conv(`${name}.branch7x7x3_3`, 192, 192, { size: [7, 1] }),
      conv(`${name}.branch7x7x3_4`, 192, 192, { size: 3, stride: 2, padding: 0 })
    ),
    pool("max", 3, 2, 0)
  )

const blockE = (name: string, inputs: number): Layer => {
  const split = (branch: string): Layer =>
    concat(
      conv(`${name}.${branch}a`, 384, 384, { size: [1, 3] }),
      conv(`${name}.${branch}b`, 384, 384, { size: [3, 1] })
    )
  return concat(
    conv(`${name}.branch1x1`, inputs, 320),
    sequence(conv(`${name}.branch3x3_1`, inputs, 384), split("branch3x3_2")),
    sequence(
      conv(`${name}.branch3x3dbl_1`, inputs, 448),
      conv(`${name}.branch3x3dbl_2`, 448, 384, { size: 3 }),
      split("branch3x3dbl_3")
    ),
    sequence(pool("average", 3, 1, 1), conv(`${name}.branch_pool`, inputs, 192))
  )
}
