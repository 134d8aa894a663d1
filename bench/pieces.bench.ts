import { readClipTables } from '../src/clip/tokenizer/load.ts'
import { createTokenizer } from '../src/clip/tokenizer/tokenizer.ts'
import { drawFewShot } from '../src/data/fewshot.ts'
import { fileSource } from '../src/node/files.ts'
import { clipMerges } from '../src/node/package.ts'
import { type Bench, type Figure, figure } from './bench.ts'
import { classNames } from './class-names.ts'
import { interleaved } from './measure.ts'

/** ImageNet's classes, and images to learn from in each. */
const [CLASSES, IMAGES] = [1000, 1281]

export const pieces: Bench = {
  name: 'pieces',
  about: `CLIP's tokenizer, and the draw of a few-shot subset of ImageNet's size`,
  async run(_, { quick }) {
    const prompts = classNames(CLASSES).map((name) => `a photo of a ${name.replaceAll('|', '')}, a type of thing.`)
    const tables = await readClipTables(await fileSource(clipMerges()))
    const tokenizer = createTokenizer({ ...tables, contextLength: 77 })
    const items = Array.from({ length: CLASSES * IMAGES }, (_, i) => ({ label: i % CLASSES }))
    const tasks = {
      // a tokenizer remembers the words that it has seen
      'a new tokenizer': async () => {
        const fresh = createTokenizer({ ...tables, contextLength: 77 })
        for (const prompt of prompts) fresh.tokenize(prompt)
      },
      'a tokenizer in use': async () => {
        for (const prompt of prompts) tokenizer.tokenize(prompt)
      },
      'subset draw, 16 shots': async () => drawFewShot(items, [], 16, 1),
    }
    for (const task of Object.values(tasks)) await task()
    const times = await interleaved(Object.values(tasks), quick ? 3 : 11)
    const figures = Object.keys(tasks).map((name, i): Figure => {
      const size = name.startsWith('subset') ? items.length : prompts.length
      return figure(name, size, 'time', 'ms', times[i] ?? [])
    })
    return { figures, notes: ['size: prompts, or images drawn from'] }
  },
}
