import { expect, it } from 'vitest'
import { tokenRows } from '../clip/encode.ts'
import { loadClip } from '../clip/load.ts'
import { floatTensor } from '../graph/index.ts'
import { folderModelFiles } from '../node/files.ts'
import { bundledModel } from '../node/package.ts'
import { nodeRuntime } from '../node/runtime.ts'
import { nearestWords } from './nearest-words.ts'

it('words are told from their pieces', async () => {
  const clip = await loadClip(folderModelFiles(bundledModel()))
  const runtime = await nodeRuntime({ threads: 1 })
  try {
    const { width, vocabSize } = clip.config.text
    const tokenOf = (text: string, endsWord: boolean) =>
      Array.from({ length: vocabSize }, (_, id) => id).find(
        (id) => clip.tokenizer.tokenText(id) === text && clip.tokenizer.decode([id, id]).includes(' ') === endsWord,
      ) ?? -1
    const tokens = [tokenOf('guitar', true), tokenOf('ple', true), tokenOf('gu', false)].filter((id) => id >= 0)
    const near = await nearestWords(clip, runtime, floatTensor([tokens.length, width], tokenRows(clip, tokens).data), {
      allTokens: true,
    })
    const kinds = Object.fromEntries(near.flatMap(([word]) => (word ? [[word.word, word.piece]] : [])))
    expect(kinds).toMatchObject({ ple: 'ending' })
    if ('gu' in kinds) expect(kinds.gu).toBe('start')
    if ('guitar' in kinds) expect(kinds.guitar).toBeUndefined()
    expect(near.map(([word]) => word?.distance)).toEqual(tokens.map(() => 0))
  } finally {
    await runtime.close()
  }
})
