import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { randomFor } from '../base/random.ts'
import { saveOpenClip } from '../lab/pretrain/save.ts'
import { encodePng } from '../node/image.ts'
import { tinyClip, tinyTables } from './tiny-clip.ts'

/** What a command needs, in a temporary folder. */
export interface TinyWorld {
  readonly root: string
  /** A CLIP with random weights in the OpenCLIP layout. */
  readonly model: string
  /** Another of the same sizes. */
  readonly otherModel: string
  /** Pictures of three colours, in the class folders blue, green and red. */
  readonly photos: string
  remove(): Promise<void>
}

const COLOURS = { blue: [40, 40, 220], green: [30, 200, 40], red: [220, 30, 30] } as const

export async function tinyWorld(imagesPerClass = 10): Promise<TinyWorld> {
  const root = await mkdtemp(join(tmpdir(), 'coop-world-'))
  const at = (name: string) => join(root, name)
  await saveTinyClip(at('model'), 1)
  await saveTinyClip(at('other-model'), 2)
  for (const [name, rgb] of Object.entries(COLOURS)) await savePictures(at(`photos/${name}`), rgb, imagesPerClass)
  return {
    root,
    model: at('model'),
    otherModel: at('other-model'),
    photos: at('photos'),
    remove: () => rm(root, { recursive: true, force: true }),
  }
}

async function saveTinyClip(folder: string, seed: number): Promise<void> {
  const { config, weights } = await tinyClip(undefined, seed)
  await mkdir(folder)
  for (const [file, bytes] of saveOpenClip(config, weights, tinyTables, { dtype: 'float32' })) {
    await writeFile(join(folder, file), bytes)
  }
}

/** Small pictures of one colour with noise, all different. */
async function savePictures(folder: string, rgb: readonly number[], count: number): Promise<void> {
  const [width, height] = [12, 10]
  await mkdir(folder, { recursive: true })
  for (let i = 0; i < count; i++) {
    const random = randomFor('picture', rgb.join(), i)
    const noisy = (_: unknown, j: number) => Math.min(255, Math.max(0, (rgb[j % 3] ?? 0) + 30 * (random.next() - 0.5)))
    const data = Uint8Array.from({ length: width * height * 3 }, noisy)
    await writeFile(join(folder, `${i}.png`), await encodePng({ width, height, data }))
  }
}
