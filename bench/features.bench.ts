import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { imageEncoder } from '../src/clip/encode.ts'
import type { Clip } from '../src/clip/types.ts'
import { readImageFolder } from '../src/datasets/folder.ts'
import { decodeImage } from '../src/node/image.ts'
import { type Preparation, prepared } from '../src/pictures/prepare.ts'
import { DEFAULT_TRANSFORMS } from '../src/pictures/transforms.ts'
import { encodeSets } from '../src/runs/pictures.ts'
import type { Runtime } from '../src/runtime/types.ts'
import { type Bench, type Figure, figure } from './bench.ts'
import { timed } from './measure.ts'
import { LARGE, type PhotoSize, SMALL, savePhotos, sizeText } from './photos.ts'
import { randomClip } from './random-model.ts'
import { inFolder } from './temporary.ts'

const BATCH = 32
const CLASSES = 4

export const features: Bench = {
  name: 'features',
  about:
    'features of a folder of JPEGs by a ViT-B/32 with random weights: pictures a second, and what decoding, resizing and encoding take of it, each done alone',
  run: (runtime, { quick }) =>
    inFolder(async (folder) => {
      const clip = await randomClip('ViT-B/32')
      const figures: Figure[] = []
      const notes = ['size: pixels of a JPEG; share: of the three times together, which run beside one another']
      for (const size of [SMALL, LARGE]) {
        const photos = join(folder, sizeText(size))
        const kilobytes = await savePhotos(photos, CLASSES, quick ? BATCH / CLASSES : BATCH / 2, size)
        notes.push(`${sizeText(size)}: ${kilobytes.toFixed(0)} KB each`)
        figures.push(...(await measured(clip, runtime, photos, size, quick ? 1 : 5)))
      }
      return { figures, notes }
    }),
}

async function measured(
  clip: Clip,
  runtime: Runtime,
  photos: string,
  size: PhotoSize,
  rounds: number,
): Promise<Figure[]> {
  const { train } = await readImageFolder(photos, { testShare: 0 })
  const files = await Promise.all(train.map(({ path }) => readFile(path)))
  const encoder = imageEncoder(clip, runtime, BATCH)
  const preparation: Preparation = { config: clip.config.preprocess, transforms: DEFAULT_TRANSFORMS }
  const times = { decode: [] as number[], resize: [] as number[], encode: [] as number[] }
  const speeds: number[] = []
  for (let round = -1; round < rounds; round++) {
    const whole = await timed(() => encodeSets(clip, runtime, [{ items: train }]))
    const [decode, resize] = [[] as number[], [] as number[]]
    const pixels: Float32Array[] = []
    for (const file of files) {
      const image = await timed(() => decodeImage(file))
      const cut = await timed(() => prepared(image.result, preparation, undefined))
      decode.push(image.ms)
      resize.push(cut.ms)
      pixels.push(cut.result)
    }
    const encode = await timed(() => encoder.encode(pixels))
    if (round < 0) continue // the first loads programs
    speeds.push((1000 * files.length) / whole.ms)
    times.decode.push(mean(decode))
    times.resize.push(mean(resize))
    times.encode.push(encode.ms / files.length)
  }
  await encoder.dispose()
  const name = sizeText(size)
  const totals = times.decode.map((ms, i) => ms + (times.resize[i] ?? 0) + (times.encode[i] ?? 0))
  return [
    figure('from files to features', name, 'speed', 'pictures/s', speeds),
    ...Object.entries(times).flatMap(([stage, ms]) => [
      figure(stage, name, 'alone', 'ms/picture', ms),
      figure(
        stage,
        name,
        'share',
        '%',
        ms.map((one, i) => (100 * one) / (totals[i] ?? Number.NaN)),
      ),
    ]),
  ]
}

const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length
