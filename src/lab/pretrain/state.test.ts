import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { FileError } from '../../base/errors.ts'
import type { ArtData } from './art/source.ts'
import { trainBpe } from './bpe-training.ts'
import { pretrain } from './pretrain.ts'
import { PRETRAIN_DEFAULTS, smallClipConfig } from './settings.ts'
import { loadState, saveState, startState } from './state.ts'
import { pretrainStep } from './step.ts'

const settings = {
  ...PRETRAIN_DEFAULTS,
  steps: 5,
  batch: 2,
  buckets: [12],
  textWidth: 32,
  textLayers: 1,
  imageWidth: 8,
  embedDim: 8,
}
const tables = trainBpe(['low lower lowest low'], 6)
const config = smallClipConfig(settings, tables.vocab.size)
const step = pretrainStep(config, settings)
const state = (seed = settings.seed) => startState(step, config, seed)

let folder = ''
const file = () => join(folder, 'checkpoint.safetensors')
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'coop-pretrain-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

it('comes back from its checkpoint as it was', async () => {
  const kept = { ...state(2), step: 3 }
  await saveState(file(), kept, settings)
  const back = state()
  await loadState(file(), back, settings)
  const first = await readFile(file())
  await saveState(file(), back, settings)
  expect(first.equals(await readFile(file()))).toBe(true)
})

it('does not come back from a checkpoint of another seed, of other settings, of no possible step, or with a flipped bit', async () => {
  await saveState(file(), { ...state(), step: 3 }, settings)
  await expect(loadState(file(), state(), { ...settings, seed: 2 })).rejects.toThrow(/run with other settings/)
  await expect(loadState(file(), state(), { ...settings, steps: 9 })).rejects.toThrow(/run with other settings/)
  const bytes = await readFile(file())
  const fresh = state()
  for (let i = 0; i < 20; i++) {
    const flipped = Buffer.from(bytes)
    flipped[Math.floor((i * bytes.length) / 20)]! ^= 1 << (i % 8)
    await writeFile(file(), flipped)
    await expect(loadState(file(), fresh, settings), `${i}`).rejects.toThrow(FileError)
  }
  for (const wrong of [0, 6, 2.5, Number.NaN]) {
    await saveState(file(), { ...fresh, step: wrong }, settings)
    await expect(loadState(file(), fresh, settings)).rejects.toThrow(/is damaged: it is of step/)
  }
  const broken = { ...state(), step: 3 }
  broken.moments.first.get('logit_scale')?.fill(Number.NaN)
  await saveState(file(), broken, settings)
  await expect(loadState(file(), state(), settings)).rejects.toThrow(/is damaged: logit_scale contains values/)
})

it('begun again leaves nothing of the run before it', async () => {
  await saveState(file(), { ...state(), step: 3 }, settings)
  const stopped = () => Promise.reject(new Error('no runtime'))
  const art: ArtData = {
    pictures: 0,
    conceptCount: 0,
    tokenizer: undefined as never,
    tables,
    batch: () => {
      throw new Error('no art')
    },
  }
  const runtime = { device: 'cpu', load: stopped, loadOnnx: stopped, close: async () => {} } as const
  await expect(pretrain(art, settings, runtime, folder, false)).rejects.toThrow('no runtime')
  await expect(readFile(file())).rejects.toThrow(/ENOENT/)
})
