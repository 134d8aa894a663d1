import { randomFor } from '../../../base/random.ts'
import { splitWords, type TokenizerTables } from '../../../clip/tokenizer/tokenizer.ts'
import { trainBpe } from '../bpe-training.ts'
import { captionFor, nameForms } from './captions.ts'
import type { PictureFacts } from './types.ts'
import { randomView } from './view.ts'

/** Merges of the small CLIP's own table: nearly every word of the captions is one token. */
export const mergeCount = 4000
const captionsEach = 3

/** A tokenizer's tables learned on the captions that training will use; always the same for the same pictures. */
export function buildTokenizer(pictures: readonly PictureFacts[], merges = mergeCount): TokenizerTables {
  const counts = new Map<string, number>()
  const add = (text: string, weight: number) => {
    for (const word of splitWords(text)) counts.set(word, (counts.get(word) ?? 0) + weight)
  }
  const wordCount = (text: string) => splitWords(text).length
  pictures.forEach((facts, i) => {
    const random = randomFor('vocabulary', i)
    // Emoji are drawn more often than icons in training, and the tasks that follow are theirs.
    const weight = facts.group === 'emoji' ? 3 : 1
    for (let k = 0; k < captionsEach; k++)
      add(captionFor(facts, randomView(facts, random).named, random, wordCount, { least: 12, most: 24 }), weight)
    for (const name of nameForms(facts)) add(name, weight)
  })
  return trainBpe(counts, merges)
}
