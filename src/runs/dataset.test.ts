import { describe, expect, it } from 'vitest'
import { BUNDLED } from '../node/package.ts'
import { warnOfPhotographs } from './dataset.ts'

describe('warnOfPhotographs', () => {
  const warnings = (model: string, ...names: readonly string[]): string[] => {
    const said: string[] = []
    const items = names.map((path) => ({ path, label: 0 }))
    warnOfPhotographs(model, items, { onWarning: (text) => said.push(text) })
    return said
  }

  it('says what the bundled model knows, which to take, and its size', () => {
    expect(warnings(BUNDLED, 'a.JPG', 'b.heic', 'c.png')).toEqual([
      expect.stringMatching(/knows drawings only.*--model openai\/clip-vit-base-patch32 \(OpenAI's ViT-B\/32, 605 MB/),
    ])
  })

  it('says nothing of drawings, of other models, and of nothing', () => {
    expect(warnings(BUNDLED, 'a.jpg', 'b.png', 'c.gif')).toEqual([])
    expect(warnings('openai/clip-vit-base-patch16', 'a.jpg')).toEqual([])
    expect(warnings(BUNDLED)).toEqual([])
  })
})
