import type { ClipConfig, ResNetConfig, VitConfig } from './types.ts'

// A multiplication and the addition that follows it are two operations (FLOP). Normalisation, activations and softmax are
// left out, as in open_clip's docs/model_profile.csv.

/** Operations (FLOP) of the image tower for one picture. */
export function pictureWork({ embedDim, vision }: ClipConfig): number {
  return 2 * (vision.kind === 'vit' ? vitProducts(vision, embedDim) : resNetProducts(vision, embedDim))
}

function vitProducts({ imageSize, patchSize, width, layers, mlpWidth }: VitConfig, embedDim: number): number {
  const patches = Math.floor(imageSize / patchSize) ** 2
  const tokens = patches + 1
  const perToken = 4 * width * width + 2 * width * mlpWidth
  const attention = 2 * tokens * tokens * width
  return patches * 3 * patchSize ** 2 * width + layers * (tokens * perToken + attention) + width * embedDim
}

function resNetProducts({ imageSize, width, layers }: ResNetConfig, embedDim: number): number {
  const half = width / 2
  // three 3 x 3 convolutions at half the side, then a mean over 2 x 2
  const stem = (imageSize / 2) ** 2 * 9 * (3 * half + half * half + half * width)
  let side = imageSize / 4
  let channels = width
  let blocks = 0
  for (const [stage, count] of layers.entries()) {
    const planes = width * 2 ** stage
    for (let block = 0; block < count; block++) {
      const before = side
      if (block === 0 && stage > 0) side /= 2
      // 1 x 1, 3 x 3, the mean that halves the side, 1 x 1, and 1 x 1 past it where the channels change
      blocks += before ** 2 * (channels * planes + 9 * planes * planes)
      blocks += side ** 2 * 4 * planes * (planes + (block === 0 ? channels : 0))
      channels = 4 * planes
    }
  }
  const tokens = side ** 2 + 1
  // keys and values of all places, the query of their mean alone
  const pooling = (2 * tokens + 1) * channels * channels + 2 * tokens * channels + channels * embedDim
  return stem + blocks + pooling
}
