import { join } from 'node:path'
import { writeFileAtomic } from '../../../node/files.ts'
import { listTrainingPictures } from './pictures.ts'
import { type RenderProgress, renderSets } from './render.ts'
import type { PictureSet } from './types.ts'
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
  await writeTokenizer(sets, folder)
}

/** Learns the tokenizer's table on the sets' captions and writes its two files. */
export async function writeTokenizer(sets: readonly PictureSet[], folder: string, merges?: number): Promise<void> {
  const tables = buildTokenizer(
    sets.flatMap((set) => set.pictures),
    merges,
  )
  await writeFileAtomic(join(folder, vocabFile), `${JSON.stringify(Object.fromEntries(tables.vocab))}\n`)
  const lines = ['#version: 0.2', ...tables.merges.map((merge) => merge.join(' ')), '']
  await writeFileAtomic(join(folder, mergesFile), lines.join('\n'))
}
