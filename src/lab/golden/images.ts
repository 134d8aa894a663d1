import { z } from 'zod'
import { imageEncoder } from '../../clip/encode.ts'
import type { Clip } from '../../clip/types.ts'
import type { FloatTensor } from '../../graph/tensor.ts'
import { decodeImage } from '../../node/image.ts'
import { preprocess } from '../../pictures/preprocess.ts'
import { BOUNDS } from './bounds.ts'
import type { Golden } from './folder.ts'
import { expectShape, type Report, relativeError } from './report.ts'

const schema = z.object({ names: z.array(z.string()) })

/**
 * images.json, images/ and features.safetensors: preprocessed pixels and image features of each model. Features are
 * computed from the reference's pixels, or where it has none from the pictures.
 */
export async function checkImages(golden: Golden, report: Report): Promise<void> {
  const figures = await golden.tensors('features.safetensors')
  if (figures === undefined) return
  const list = await golden.json('images.json', schema)
  for (const model of golden.models) {
    const what = `images ${model}`
    await report.attempt(what, async () => {
      const [hasPixels, hasFeatures] = ['pixels', 'image_features'].map((name) =>
        figures.entries.has(`${model}.${name}`),
      )
      if (!hasPixels && !hasFeatures) return
      const clip = await golden.clip(model)
      const { size } = clip.config.preprocess
      const reference = hasPixels ? await figures.readFloat(`${model}.pixels`) : undefined
      const pixels = reference === undefined ? await prepareAll(golden, clip, list) : rowsOf(reference)
      const n = list?.names.length ?? pixels.length
      if (reference !== undefined) {
        expectShape(`${model}.pixels`, reference, [n, 3, size, size])
        if (list !== undefined) await checkPixels(golden, report, clip, model, list.names, pixels)
      }
      if (!hasFeatures) return
      const expected = await figures.readFloat(`${model}.image_features`)
      expectShape(`${model}.image_features`, expected, [n, clip.config.embedDim])
      const features = await encodeAll(golden, clip, pixels)
      report.measure(`image features ${model}`, relativeError(features, expected.data), BOUNDS.features)
    })
  }
}

async function checkPixels(
  golden: Golden,
  report: Report,
  clip: Clip,
  model: string,
  names: readonly string[],
  expected: readonly Float32Array[],
): Promise<void> {
  if (!(await golden.has('images'))) return report.skip(`pixels ${model}`, 'there is no folder images')
  const config = clip.config.preprocess
  for (const [i, name] of names.entries()) {
    const what = `pixels ${model} ${name}`
    await report.attempt(what, async () => {
      const actual = preprocess(await decodeImage(golden.path(`images/${name}`)), config)
      const row = expected[i] ?? new Float32Array()
      report.measure(`${what}, levels of 256`, worstLevel(actual, row, config.std), BOUNDS.pixelLevels)
    })
  }
}

/** Our own pixels of the pictures that images.json names. */
function prepareAll(golden: Golden, clip: Clip, list: z.output<typeof schema> | undefined): Promise<Float32Array[]> {
  const names = list?.names ?? []
  const prepare = async (name: string) =>
    preprocess(await decodeImage(golden.path(`images/${name}`)), clip.config.preprocess)
  return Promise.all(names.map(prepare))
}

/** Largest difference of normalised pixels `(3, size, size)` in 8-bit levels. */
function worstLevel(actual: Float32Array, expected: Float32Array, std: readonly number[]): number {
  const plane = actual.length / 3
  let worst = 0
  for (let i = 0; i < actual.length; i++) {
    const levels = Math.abs(actual[i]! - expected[i]!) * (std[Math.floor(i / plane)] ?? 1) * 255
    if (!(levels <= worst)) worst = levels
  }
  return Math.round(worst * 1000) / 1000 // rounding of float32 is not a level
}

async function encodeAll(golden: Golden, clip: Clip, images: readonly Float32Array[]): Promise<Float32Array> {
  const encoder = imageEncoder(clip, golden.runtime, Math.min(images.length, 32))
  try {
    return await encoder.encode(images)
  } finally {
    await encoder.dispose()
  }
}

function rowsOf({ shape, data }: FloatTensor): Float32Array[] {
  const length = data.length / (shape[0] || 1)
  return Array.from({ length: shape[0] ?? 0 }, (_, i) => data.subarray(i * length, (i + 1) * length))
}
