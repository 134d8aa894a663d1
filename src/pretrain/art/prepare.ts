import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { listTrainingPictures } from './pictures.ts'
import { type RenderProgress, renderSets } from './render.ts'
import { buildTokenizer } from './vocabulary.ts'

/** Names of the tokenizer's two files in a prepared folder. */
export const vocabFile = 'vocab.json'
export const mergesFile = 'merges.txt'

/**
 * Lists and renders all training pictures into `folder` and learns the tokenizer's table on their captions.
 * Sets that are there already are kept; the table is always written anew.
 */
export async function prepareArt(folder: string, report?: (progress: RenderProgress) => void): Promise<void> {
  const sets = await listTrainingPictures()
  await renderSets(sets, folder, report)
  const { vocab, merges } = buildTokenizer(sets.flatMap((set) => set.pictures))
  await writeWhole(join(folder, vocabFile), `${JSON.stringify(Object.fromEntries(vocab))}\n`)
  await writeWhole(
    join(folder, mergesFile),
    ['#version: 0.2', ...merges.map((merge) => merge.join(' ')), ''].join('\n'),
  )
}

async function writeWhole(file: string, text: string): Promise<void> {
  await writeFile(`${file}.part`, text)
  await rename(`${file}.part`, file)
}
