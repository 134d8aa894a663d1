import { join } from 'node:path'
import { readClipTables } from '../src/clip/tokenizer/load.ts'
import { readImageFolder } from '../src/datasets/folder.ts'
import { fileSource } from '../src/node/files.ts'
import { clipMerges } from '../src/node/package.ts'
import { openRun } from '../src/runs/open-run.ts'
import { train } from '../src/runs/train.ts'
import { absent, type Bench, type Figure, figure, NOT_INSTALLED } from './bench.ts'
import { interleaved, ratios } from './measure.ts'
import { type WaitingPeer, waitingPeer } from './peer.ts'
import { SMALL, savePhotos, sizeText } from './photos.ts'
import { configOf, randomWeights, saveRandomModel } from './random-model.ts'
import { inFolder } from './temporary.ts'
import { saveTransformersModel } from './transformers-model.ts'

const ARCHITECTURE = 'ViT-B/32'
const [CLASSES, BATCH] = [8, 8]
const PEER = '@huggingface/transformers'
/** A folder in which `npm install @huggingface/transformers` was run. */
const INSTALLED = process.env.COOP_TRANSFORMERS

export const zeroShot: Bench = {
  name: 'zero-shot',
  about: `JPEGs of ${sizeText(SMALL)} classified by hand-written prompts of ${CLASSES} classes, ${BATCH} at a time, and the zero-shot pipeline of ${PEER} (COOP_TRANSFORMERS): a ${ARCHITECTURE} with the same random weights`,
  long: true,
  run: (runtime, { quick, threads }) =>
    inFolder(async (folder) => {
      const [photos, model, run] = [join(folder, 'photos'), join(folder, 'model'), join(folder, 'run')]
      await savePhotos(photos, CLASSES, quick ? 2 : 8, SMALL)
      await saveRandomModel(model, ARCHITECTURE, 'float32')
      await train(photos, { model, method: 'zero-shot', out: run, cache: join(folder, 'cache'), threads })
      const { train: items, classNames } = await readImageFolder(photos)
      const paths = items.map(({ path }) => path)
      const batches = Array.from({ length: paths.length / BATCH }, (_, i) => paths.slice(i * BATCH, (i + 1) * BATCH))
      const opened = await openRun(run, { model, runtime })
      const ours = async () => {
        const answers: string[] = []
        for (const batch of batches) answers.push(...(await opened.classify(batch)).map(([best]) => best?.label ?? ''))
        return answers
      }
      const answers = await ours()
      const peer = await transformers(folder, batches, classNames, threads)
      const tasks = [ours, ...(peer === undefined ? [] : [() => peer.run()])]
      const [own = [], its = []] = await interleaved(tasks, quick ? 2 : 7)
      await peer?.close()
      await opened.dispose()
      const speedOf = (name: string, times: readonly number[]) =>
        figure(
          name,
          paths.length,
          'speed',
          'pictures/s',
          times.map((ms) => (1000 * paths.length) / ms),
        )
      const figures: Figure[] = [speedOf('coop-ts', own)]
      if (peer === undefined) figures.push(absent(PEER, paths.length, NOT_INSTALLED))
      else {
        const said: unknown = JSON.parse(peer.said)
        const same = answers.filter((answer, i) => Array.isArray(said) && said[i] === answer).length
        figures.push(
          speedOf(PEER, its),
          figure(PEER, paths.length, "times coop-ts's time", 'x', ratios(its, own)),
          figure(PEER, paths.length, 'same answers', '%', [(100 * same) / paths.length]),
        )
      }
      return { figures, notes: ['size: pictures; the pipeline encodes the prompts anew with each batch'] }
    }),
}

async function transformers(
  folder: string,
  batches: readonly (readonly string[])[],
  names: readonly string[],
  threads: number,
): Promise<WaitingPeer | undefined> {
  if (INSTALLED === undefined) return undefined
  const model = join(folder, 'transformers')
  const config = configOf(ARCHITECTURE)
  const tables = await readClipTables(await fileSource(clipMerges()))
  const prompts = names.map((name) => `a photo of a ${name}.`)
  await saveTransformersModel(model, config, randomWeights(config), tables, { batch: BATCH, prompts })
  const args = [INSTALLED, model, JSON.stringify(batches), JSON.stringify(names), String(threads)]
  return waitingPeer('zero_shot.mjs', args, threads)
}
