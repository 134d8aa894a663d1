import { splitWords } from '../clip/tokenizer/tokenizer.ts'

/**
 * A class name as prompts have it: `_` is a space, then cleaned, lower-cased and split as CLIP's tokenizer does.
 * Names with the same words make the same prompt.
 */
export function wordsOfName(name: string): string {
  return splitWords(name.replaceAll('_', ' ')).join(' ')
}
