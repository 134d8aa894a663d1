import { expect, it } from 'vitest'
import { KNOWN_MODELS } from './known-models.ts'
import { pictureWork } from './picture-work.ts'
import type { ClipConfig } from './types.ts'

/** `image_gflops` of open_clip's docs/model_profile.csv. */
const PROFILE: Readonly<Record<string, number>> = {
  RN50: 12.22,
  RN101: 19.54,
  RN50x4: 42.56,
  RN50x16: 149.39,
  RN50x64: 529.11,
  'ViT-B/32': 8.82,
  'ViT-B/32@256px': 11.5,
  'ViT-B/16': 35.13,
  'ViT-L/14': 162.03,
  'ViT-L/14@336px': 381.92,
  'ViT-H/14': 334.59,
}

/** open_clip's attention pooling computes query and output at all places, of which one is used. */
function unusedPooling({ embedDim, vision }: ClipConfig): number {
  if (vision.kind === 'vit') return 0
  const [places, channels] = [(vision.imageSize / 32) ** 2, 32 * vision.width]
  return 2 * places * channels * (channels + embedDim)
}

it.each(KNOWN_MODELS)('the work of $id a picture is that of its profile', ({ architecture, config }) => {
  const gflop = (pictureWork(config) + unusedPooling(config)) / 1e9
  // products of the pooling's attention, which the profile has at all places as well, are 0.2 % at most
  expect(Math.abs(gflop / (PROFILE[architecture] ?? Number.NaN) - 1)).toBeLessThan(0.002)
})
