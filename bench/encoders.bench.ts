import { randomFor } from '../src/base/random.ts'
import { imageEncoder } from '../src/clip/encode.ts'
import { KNOWN_MODELS } from '../src/clip/known-models.ts'
import { makeClip } from '../src/clip/load.ts'
import type { Clip, ClipConfig } from '../src/clip/types.ts'
import { expectedTensors } from '../src/clip/weights/expected.ts'
import { floatTensor, sharedFloats } from '../src/graph/tensor.ts'
import type { Runtime } from '../src/runtime/types.ts'
import { type Bench, type BenchOptions, type Figure, figure } from './bench.ts'
import { timed } from './measure.ts'
import { pieceTokenizer } from './text-model.ts'

/** The architectures of the paper, and the large one that people use most. */
const ARCHITECTURES = ['RN50', 'RN101', 'ViT-B/32', 'ViT-B/16', 'ViT-L/14']
const QUICK = ['RN50', 'ViT-B/32']
const BATCH = 8

export const encoders: Bench = {
  name: 'encoders',
  about: `images a second and memory of CLIP's image towers at their true sizes, random weights, ${BATCH} at a time`,
  long: true,
  async run(runtime, { quick }: BenchOptions) {
    const figures: Figure[] = []
    for (const architecture of quick ? QUICK : ARCHITECTURES) {
      const known = KNOWN_MODELS.find((model) => model.architecture === architecture)
      if (known === undefined) throw new Error(`no model of the architecture ${architecture}`)
      figures.push(...(await measure(architecture, await randomClip(known.config), runtime, quick ? 2 : 5)))
    }
    return {
      figures,
      notes: ['memory: what the process holds more while the tower is loaded, its weights in JavaScript besides'],
    }
  },
}

async function measure(name: string, clip: Clip, runtime: Runtime, rounds: number): Promise<Figure[]> {
  const { size } = clip.config.preprocess
  const { normal } = randomFor('bench images', 1)
  const pictures = Array.from({ length: BATCH }, () => Float32Array.from({ length: 3 * size * size }, normal))
  const before = process.memoryUsage.rss()
  const encoder = imageEncoder(clip, runtime, BATCH)
  await encoder.encode(pictures)
  const memory = (process.memoryUsage.rss() - before) / 1e6
  const times: number[] = []
  for (let round = 0; round < rounds; round++) times.push((await timed(() => encoder.encode(pictures))).ms)
  await encoder.dispose()
  return [
    figure(
      `${name}, ${size} x ${size}`,
      'images/s',
      times.map((ms) => (1000 * BATCH) / ms),
    ),
    figure(`${name}, memory`, 'MB', [memory]),
  ]
}

/** Time and memory do not depend on the weights, as long as nothing is infinite or denormal. */
async function randomClip(config: ClipConfig): Promise<Clip> {
  const random = randomFor('bench encoders', 1)
  const weights = new Map(
    [...expectedTensors(config)].map(([name, shape]) => {
      const size = shape.reduce((a, b) => a * b, 1)
      const fan = size / (shape[0] ?? 1)
      const scale = shape.length > 1 ? 1 / Math.sqrt(fan) : 1
      const data = sharedFloats(size)
      for (let i = 0; i < size; i++) data[i] = scale * (shape.length > 1 ? 2 * random.next() - 1 : 1)
      return [name, floatTensor(shape, data)] as const
    }),
  )
  return makeClip(config, weights, pieceTokenizer(config.text.contextLength))
}
