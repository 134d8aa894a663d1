import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FileError } from '../base/errors.ts'
import { bytesSource, openSafetensors, writeSafetensors } from '../formats/safetensors.ts'
import { floatTensor } from '../graph/tensor.ts'
import { nodeRuntime } from '../node/runtime.ts'
import type { Runtime } from '../runtime/types.ts'
import { tinyClip, tinyConfig } from '../testing/tiny-clip.ts'
import { type LearnedPrompt, readPrompt, writePrompt } from './learned-prompt.ts'
import { nearestWords } from './nearest-words.ts'
import { promptClassifier, promptFeatures } from './prompt-classifier.ts'

const clip = await tinyClip()
const { width, vocabSize } = clip.config.text
const prompt: LearnedPrompt = {
  M: 2,
  position: 'middle',
  classSpecific: false,
  ctx: floatTensor(
    [2, width],
    Float32Array.from({ length: 2 * width }, (_, i) => Math.fround(Math.sin(i))),
  ),
  classNames: ['dog', 'toilet_paper', 'naïve “cat”'],
  model: clip.fingerprint,
}

let runtime: Runtime
beforeAll(async () => {
  runtime = await nodeRuntime({ threads: 1 })
})
afterAll(() => runtime.close())

describe('a learned prompt', () => {
  const read = (bytes: Uint8Array) => readPrompt(bytesSource('prompt.safetensors', bytes))

  it('comes back from its file as it was', async () => {
    expect(await read(writePrompt(prompt, { seed: 3 }))).toEqual(prompt)
    const csc = { ...prompt, classSpecific: true, ctx: floatTensor([3, 2, width]) }
    expect(await read(writePrompt(csc))).toEqual(csc)
  })

  it('is refused, or still the same, when any one bit of its file is another one', async () => {
    const bytes = writePrompt(prompt, { seed: 3 })
    let refused = 0
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const flipped = bytes.slice()
      flipped[bit >> 3]! ^= 1 << (bit & 7)
      const result = await read(flipped).catch((error: unknown) => error)
      if (result instanceof FileError) refused++
      else expect(result, `bit ${bit}`).toEqual(prompt)
    }
    expect(refused).toBeGreaterThan(8 * (bytes.length - 'sha256'.length) - 1)
  })

  it('is read from a file of an earlier version, without a hash', async () => {
    const { metadata } = await openSafetensors(bytesSource('prompt', writePrompt(prompt)))
    const about = metadata.get('prompt') ?? ''
    expect(await read(writeSafetensors(new Map([['ctx', prompt.ctx]]), { prompt: about }))).toEqual(prompt)
  })

  it('asks its model alone', async () => {
    expect((await promptFeatures(clip, runtime, prompt)).shape).toEqual([3, 10])
    const other = await tinyClip(tinyConfig(), 2)
    await expect(promptClassifier(other, runtime, prompt)).rejects.toThrow(/another model: fingerprint/)
    const wider = await tinyClip(tinyConfig({ width: 16 }))
    await expect(promptClassifier(wider, runtime, prompt)).rejects.toThrow(/vectors have 12 values.*have 16/)
  })

  it.each([
    ['another file', writeSafetensors(new Map([['x', floatTensor([1])]])), /contains no learned prompt/],
    [
      'a shape that is not what its settings say',
      writePrompt({ ...prompt, M: 3 }),
      /ctx has shape \(2, 12\).*\(3, width\)/,
    ],
    [
      'fewer contexts than classes',
      writePrompt({ ...prompt, classSpecific: true }),
      /ctx has shape \(2, 12\).*\(3, 2, width\)/,
    ],
    [
      'values that are not numbers',
      writePrompt({ ...prompt, ctx: floatTensor([2, width], new Float32Array(2 * width).fill(Number.NaN)) }),
      /not numbers/,
    ],
    ['a part of it', writePrompt(prompt).slice(0, -8), /not a valid safetensors file/],
    [
      'metadata that mean nothing',
      writeSafetensors(new Map([['ctx', prompt.ctx]]), { prompt: '{"format":"coop-prompt-1","position":"left"}' }),
      /position/,
    ],
  ])('is not read from %s', async (_, bytes, message) => {
    await expect(read(bytes)).rejects.toThrow(FileError)
    await expect(read(bytes)).rejects.toThrow(message)
  })
})

describe('nearestWords', () => {
  const table = clip.weights.get('token_embedding.weight')?.data ?? new Float32Array()
  const embeddingOf = (word: string) => {
    const [token = 0] = clip.tokenizer.encode(word)
    return Array.from(table.subarray(token * width, (token + 1) * width))
  }

  it('finds the word that a vector is', async () => {
    const ctx = floatTensor([2, width], Float32Array.from([...embeddingOf('dog'), ...embeddingOf('photo')]))
    const near = await nearestWords(clip, runtime, ctx, { count: 3 })
    expect(near.map((words) => words[0]?.word)).toEqual(['dog', 'photo'])
    expect(near[0]?.[0]?.distance).toBe(0)
  })

  it('agrees with the distances to all tokens, in order', async () => {
    const vectors = 70 // more than one run takes
    const ctx = floatTensor(
      [vectors / 2, 2, width],
      Float32Array.from({ length: vectors * width }, (_, i) => 0.4 * Math.sin(i * i)),
    )
    const near = await nearestWords(clip, runtime, ctx, { count: 4, allTokens: true })
    expect(near).toHaveLength(vectors)
    for (const [v, words] of near.entries()) {
      const distances = Array.from({ length: vocabSize }, (_, token) =>
        Math.hypot(...Array.from({ length: width }, (_, j) => ctx.data[v * width + j]! - table[token * width + j]!)),
      )
      const sorted = distances.toSorted((a, b) => a - b)
      expect(words.map(({ distance }) => distance)).toEqual(sorted.slice(0, 4).map((x) => expect.closeTo(x, 5)))
      for (const { token, distance } of words) expect(distances[token]).toBeCloseTo(distance, 5)
    }
  })

  it('leaves out punctuation, pieces of words and special tokens unless asked', async () => {
    const vector = embeddingOf('.')
    const ctx = floatTensor([1, width], Float32Array.from(vector))
    const [any] = await nearestWords(clip, runtime, ctx, { allTokens: true })
    const [words] = await nearestWords(clip, runtime, ctx, { count: 200 })
    expect(any?.[0]?.word).toBe('.')
    const texts = words?.map(({ word }) => word) ?? []
    expect(texts).toContain('dog')
    expect(texts.every((word) => /^\p{L}+$/u.test(word) && clip.tokenizer.encode(word).length === 1)).toBe(true)
    expect(new Set(texts).size).toBe(texts.length)
  })
})
