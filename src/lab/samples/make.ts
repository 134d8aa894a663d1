import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import type { Hooks } from '../../base/progress.ts'
import { sha256 } from '../../base/sha256.ts'
import type { RgbImage } from '../../clip/types.ts'
import { type SampleTask, samplePaths } from '../../data/samples.ts'
import { writeFileAtomic } from '../../node/files.ts'
import { bundledSamples } from '../../node/package.ts'
import { writeSums } from '../../node/sums.ts'
import { openHeldOut } from '../demo/held-out.ts'
import { plannedTasks } from './tasks.ts'

/** What was written of a task. */
export interface MadeTask {
  readonly name: SampleTask['name']
  readonly pictures: number
  readonly bytes: number
}

/** Draws `samples/` again: pictures, index.json and SHA256SUMS. Throws RangeError where two pictures of a task are the same. */
export async function makeSamples(hooks: Hooks): Promise<MadeTask[]> {
  const heldOut = await openHeldOut()
  const planned = plannedTasks(heldOut)
  const files = (pictures: readonly { readonly file: string }[]) => pictures.map(({ file }) => file)
  const tasks = planned.map((task) => ({
    ...task,
    classes: task.classes.map(({ name, train, test }) => ({ name, train: files(train), test: files(test) })),
  }))
  const total = tasks.reduce((sum, task) => sum + samplePaths(task).length, 0)
  const made: MadeTask[] = []
  let done = 0
  for (const task of planned) {
    await rm(join(bundledSamples(), task.name), { recursive: true, force: true })
    const drawn = new Map<string, string>()
    let bytes = 0
    for (const { name, ...parts } of task.classes) {
      for (const part of ['train', 'test'] as const) {
        for (const { style, code, file } of parts[part]) {
          const image = await heldOut.render(style, code)
          const pixels = await sha256(image.data)
          const twin = drawn.get(pixels)
          if (twin !== undefined) throw new RangeError(`${file} of ${task.name} is the same picture as ${twin}`)
          drawn.set(pixels, file)
          const png = await smallPng(image)
          bytes += png.length
          await writeFileAtomic(join(bundledSamples(), task.name, part, name, file), png, { sync: false })
          hooks.onProgress?.({ kind: 'render', done: ++done, total })
        }
      }
    }
    made.push({ name: task.name, pictures: drawn.size, bytes })
  }
  await writeFileAtomic(join(bundledSamples(), 'index.json'), `${JSON.stringify({ tasks }, null, 1)}\n`)
  await writeSums(bundledSamples())
  return made
}

/** A PNG of at most 256 colours without dithering: half as large, and every decoder gives the same pixels. */
async function smallPng({ width, height, data }: RgbImage): Promise<Uint8Array> {
  return sharp(data, { raw: { width, height, channels: 3 } })
    .png({ palette: true, compressionLevel: 9, effort: 10, dither: 0 })
    .toBuffer()
}
