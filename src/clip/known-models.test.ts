import { expect, it } from 'vitest'
import { KNOWN_MODELS, MODEL_WORDS, modelOfWord } from './known-models.ts'

const sizeOf = (architecture: string) => architecture.replace(/@.*/, '')

it('fast, good and best are the best of their size among those that are free to use', () => {
  for (const [word, size] of [
    ['fast', 'ViT-B/32'],
    ['good', 'ViT-B/16'],
    ['best', 'ViT-L/14'],
  ] as const) {
    const alike = KNOWN_MODELS.filter(
      ({ architecture, licence }) => sizeOf(architecture) === size && licence === 'MIT',
    ).toSorted((a, b) => b.scores.mean38 - a.scores.mean38)
    expect(alike[0]?.id).toBe(MODEL_WORDS[word])
    expect(modelOfWord(word)).toBe(MODEL_WORDS[word])
  }
  for (const word of ['bundled', 'Fast', './fast', 'owner/name']) expect(modelOfWord(word)).toBe(word)
})

it('those that passed OpenAI at the same cost are there', () => {
  const openAi = (size: string) =>
    KNOWN_MODELS.find(({ architecture, maker }) => architecture === size && maker === 'OpenAI')?.scores.mean38 ?? 1
  for (const { id, architecture, scores } of KNOWN_MODELS.slice(13))
    expect(scores.mean38, id).toBeGreaterThan(openAi(sizeOf(architecture)))
})
