import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Bench, Figure } from './bench.ts'
import { buildPackage, figuresOf, runCoop, type Taken } from './coop-process.ts'
import { SMALL, savePhotos } from './photos.ts'
import { saveRandomModel } from './random-model.ts'
import { inFolder } from './temporary.ts'

const ARCHITECTURE = 'ViT-B/32'
const [CLASSES, COUNT] = [2, 4]

/** One step over all pictures, and nothing measured. */
const WORDS = ['--method', 'coop', '--set', 'epochs=1', '--views', '0', '--test-share', '0']
/** What is written as soon as that step is done. */
const FIRST_STEP = /training \[=+\] 1\/1/

export const start: Bench = {
  name: 'start',
  about: `coop-ts train, from the start of its process to CoOp's first step: a ${ARCHITECTURE} with random weights, ${CLASSES * COUNT} small pictures`,
  run: (_, { quick, threads }) =>
    inFolder(async (folder) => {
      await buildPackage()
      const photos = join(folder, 'photos')
      await savePhotos(photos, CLASSES, COUNT, SMALL)
      const figures: Figure[] = []
      for (const dtype of quick ? (['float16'] as const) : (['float16', 'float32'] as const)) {
        const model = join(folder, dtype)
        await saveRandomModel(model, ARCHITECTURE, dtype)
        const runs: Record<'new' | 'known', Taken[]> = { new: [], known: [] }
        for (let round = 0; round < (quick ? 1 : 5); round++) {
          const cache = join(folder, `cache-${dtype}-${round}`)
          for (const pictures of ['new', 'known'] as const) {
            const out = join(folder, 'run')
            const words = ['--threads', String(threads), '--model', model, '--out', out, '--cache', cache]
            runs[pictures].push(await runCoop(['train', photos, ...WORDS, ...words], FIRST_STEP))
            await rm(out, { recursive: true, force: true })
          }
        }
        for (const [pictures, taken] of Object.entries(runs)) {
          figures.push(...figuresOf(`${pictures} pictures, weights in ${dtype}`, ARCHITECTURE, 'first step', taken))
        }
      }
      return { figures, notes: ['known pictures: their features are in the cache'] }
    }),
}
