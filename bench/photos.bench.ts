import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { METHOD_NAMES } from '../src/methods/index.ts'
import type { Bench, Figure } from './bench.ts'
import { buildPackage, figuresOf, runCoop, type Taken } from './coop-process.ts'
import { LARGE, SMALL, savePhotos, sizeText } from './photos.ts'
import { saveRandomModel } from './random-model.ts'
import { inFolder } from './temporary.ts'

const ARCHITECTURE = 'ViT-B/32'
const [CLASSES, COUNT] = [8, 40]
/** What learns where nobody names a method. */
const DEFAULT = 'best'

export const photos = photosBench('photos', 'by the default method', [DEFAULT], 3)
export const photosByMethod: Bench = {
  ...photosBench('photos-by-method', 'by each method', METHOD_NAMES, 1),
  long: true,
}

function photosBench(name: string, by: string, methods: readonly string[], rounds: number): Bench {
  const about = `coop-ts train from a folder of ${CLASSES} x ${COUNT} photos to a saved run ${by}, with pictures that are new and with their features in the cache: a ${ARCHITECTURE} with random weights`
  const run: Bench['run'] = (_, { quick, threads }) =>
    inFolder(async (folder) => {
      await buildPackage()
      const [photos, model, out] = [join(folder, 'photos'), join(folder, 'model'), join(folder, 'run')]
      const [size, count] = quick ? [SMALL, 4] : [LARGE, COUNT]
      const kilobytes = await savePhotos(photos, CLASSES, count, size)
      await saveRandomModel(model, ARCHITECTURE, 'float16')
      const figures: Figure[] = []
      for (const method of quick ? [DEFAULT] : methods) {
        const runs: Record<'new' | 'known', Taken[]> = { new: [], known: [] }
        for (let round = 0; round < (quick ? 1 : rounds); round++) {
          const cache = join(folder, `cache-${method}-${round}`)
          for (const pictures of ['new', 'known'] as const) {
            const words = ['--method', method, '--threads', String(threads), '--model', model, '--cache', cache]
            runs[pictures].push(await runCoop(['train', photos, '--out', out, ...words]))
            await rm(out, { recursive: true })
          }
        }
        for (const [pictures, taken] of Object.entries(runs)) {
          figures.push(...figuresOf(`${method}, ${pictures} pictures`, CLASSES * count, 'to a saved run', taken))
        }
      }
      return { figures, notes: [`JPEGs of ${sizeText(size)}, ${kilobytes.toFixed(0)} KB each`] }
    })
  return { name, about, run }
}
