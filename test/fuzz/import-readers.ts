import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadClip } from '../../src/clip/load.ts'
import { readAbout, readLabels, writeClassWeights } from '../../src/exports/class-weights.ts'
import { writeNpy } from '../../src/formats/npy.ts'
import { floatTensor } from '../../src/graph/tensor.ts'
import { saveOpenClip, tokenizerFiles } from '../../src/lab/pretrain/save.ts'
import { readOfficialCheckpoint } from '../../src/prompt/official-checkpoint.ts'
import { importPrompt } from '../../src/prompt/official-import.ts'
import { givenNames } from '../../src/runs/import.ts'
import { importWeights, WEIGHTS_FILES } from '../../src/runs/import-weights.ts'
import { tinyClip, tinyTables } from '../../src/testing/tiny-clip.ts'
import type { Shell } from './mutate.ts'
import { encode, json, type Reader, source, textReader } from './reader.ts'
import { OFFICIAL, officialSeed, openAiSeed, PICKLE, pickleInZip, safetensorsHeader } from './tensor-readers.ts'

/** A tiny CLIP in a folder. */
export async function savedModel(folder: string): Promise<void> {
  const { config, weights } = await tinyClip()
  mkdirSync(folder, { recursive: true })
  for (const [file, bytes] of saveOpenClip(config, weights, tinyTables)) writeFileSync(join(folder, file), bytes)
}

const LABELS = ['cat', 'sea horse']
const WEIGHTS = floatTensor(
  [2, 10],
  Float32Array.from({ length: 20 }, (_, i) => Math.sin(i)),
)
const ABOUT = { logit_scale: 100, calibration: { temperature: 1.5 }, method: 'coop', exif: 'turn' } as const

/** A run of class weights for that model. */
export async function savedWeights(out: string, model: string, scratch: string): Promise<void> {
  const file = join(scratch, WEIGHTS_FILES.safetensors)
  writeFileSync(file, writeClassWeights({ weights: WEIGHTS, labels: LABELS, about: ABOUT }))
  await importWeights(file, { model, out, transforms: '2021-10', force: true }, {})
}

/** A file of class weights that is imported. */
function imported(file: string, seed: Uint8Array, shell?: Shell): Reader {
  return {
    name: `imported ${file}`,
    shell,
    async prepare(scratch) {
      const model = join(scratch, 'model')
      await savedModel(model)
      writeFileSync(join(scratch, WEIGHTS_FILES.labels), json(LABELS))
      writeFileSync(join(scratch, WEIGHTS_FILES.about), json(ABOUT))
      return {
        seeds: [seed],
        read(input) {
          writeFileSync(join(scratch, file), input)
          const out = join(scratch, 'run')
          return importWeights(join(scratch, file), { model, out, transforms: '2021-10', force: true }, {})
        },
      }
    },
  }
}

export const importReaders: readonly Reader[] = [
  imported(WEIGHTS_FILES.npy, writeNpy(WEIGHTS)),
  imported(
    WEIGHTS_FILES.safetensors,
    writeClassWeights({ weights: WEIGHTS, labels: LABELS, about: ABOUT }),
    safetensorsHeader,
  ),
  textReader('labels.json', [JSON.stringify(LABELS), JSON.stringify({ labels: LABELS })], (text) =>
    readLabels(text, 'INPUT'),
  ),
  textReader('weights.json', [JSON.stringify(ABOUT)], (text) => readAbout(text, 'INPUT')),
  {
    name: 'class names of an import',
    text: true,
    prepare(scratch) {
      const file = join(scratch, 'classes.txt')
      return {
        seeds: [encode('cat\nsea horse\n'), json(LABELS)],
        read(input) {
          writeFileSync(file, input)
          return givenNames({ classes: file }, {})
        },
      }
    },
  },
  {
    name: 'imported checkpoint',
    words: PICKLE,
    shell: pickleInZip,
    async prepare() {
      const texts = tokenizerFiles(tinyTables, { contextLength: 16 })
      const clip = await loadClip({
        name: 'model',
        single: 'tiny.pt',
        has: async (file) => texts.has(file),
        text: async (file) => texts.get(file) ?? '',
        open: async () => source(openAiSeed(), 'tiny.pt'),
      })
      return {
        seeds: OFFICIAL.map(officialSeed),
        read: async (input) => importPrompt(clip, await readOfficialCheckpoint(source(input)), 'end'),
      }
    },
  },
]
