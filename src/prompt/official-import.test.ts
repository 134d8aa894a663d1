import { existsSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CoopError, FileError } from '../base/errors.ts'
import { tokenRows } from '../clip/encode.ts'
import { loadClip } from '../clip/load.ts'
import type { Clip } from '../clip/types.ts'
import { bytesSource } from '../formats/safetensors.ts'
import { floatTensor } from '../graph/tensor.ts'
import { tokenizerFiles } from '../lab/pretrain/save.ts'
import { nodeRuntime } from '../node/runtime.ts'
import type { Runtime } from '../runtime/types.ts'
import { tinyTables } from '../testing/tiny-clip.ts'
import { gunzipped } from '../testing/torch-files.ts'
import figures from './fixtures/official/features.json' with { type: 'json' }
import { POSITIONS, type Position, promptLayout } from './layout.ts'
import { type LearnedPrompt, readPrompt, writePrompt } from './learned-prompt.ts'
import { type OfficialCheckpoint, readOfficialCheckpoint } from './official-checkpoint.ts'
import { importPrompt } from './official-import.ts'
import { promptClassifier } from './prompt-classifier.ts'

// Checkpoints as Dassl saves them of the official PromptLearner, with optimiser and scheduler, on a tiny CLIP of OpenAI's
// code; the figures are the class features that PyTorch computes with them.
const fixture = (name: string) => gunzipped(new URL(`fixtures/official/${name}.pth.tar.gz`, import.meta.url))
const read = (name: string) => readOfficialCheckpoint(bytesSource('model.pth.tar-50', fixture(name)))
const NAMES = ['dog', 'cat', 'toilet_paper', 'small house']

let clip: Clip
let runtime: Runtime
beforeAll(async () => {
  const model = gunzipped(new URL('../formats/torch-file/fixtures/openai-vit.pt.gz', import.meta.url))
  const texts = tokenizerFiles(tinyTables, { contextLength: 16 })
  clip = await loadClip({
    name: 'dir',
    single: 'tiny.pt',
    has: async (file) => texts.has(file),
    text: async (file) => texts.get(file) ?? '',
    open: async () => bytesSource('dir/tiny.pt', model),
  })
  runtime = await nodeRuntime({ threads: 1 })
})
afterAll(() => runtime.close())

describe('prompts of the official code', () => {
  const cases: readonly (readonly [keyof typeof figures & string, Position, readonly number[]])[] = [
    ['unified-end', 'end', [3, 128]],
    ['csc-middle', 'middle', [4, 4, 128]],
    ['unified-front', 'front', [5, 128]],
  ]
  it.each(cases)('%s: class features as PyTorch computes them', async (name, position, shape) => {
    const checkpoint = await read(name)
    expect(checkpoint.epoch).toBe(50)
    expect(checkpoint.ctx.shape).toEqual(shape)
    const { prompt, names } = importPrompt(clip, checkpoint, position)
    expect(names).toBe('checkpoint')
    expect(prompt.classNames).toEqual(NAMES.map((name) => name.replaceAll('_', ' ')))
    expect(prompt.model).toBe(clip.fingerprint)

    const classifier = await promptClassifier(clip, runtime, prompt)
    const images = floatTensor(
      [24, 24],
      Float32Array.from({ length: 24 * 24 }, (_, i) => (i % 25 === 0 ? 1 : 0)),
    )
    const { data: logits } = await classifier.logits(images) // exp(logit_scale) times the normalised class features, turned
    const features = figures[name]
    if (!Array.isArray(features) || typeof features[0] === 'string') throw new Error(`no figures of ${name}`)
    const scale = Math.exp(2.5)
    for (const [c, row] of features.entries()) {
      if (typeof row === 'string') continue
      const length = Math.hypot(...row)
      for (const [j, x] of row.entries()) expect((logits[j * 4 + c] ?? 0) / scale).toBeCloseTo(x / length, 4)
    }
  })
})

describe('class names', () => {
  const given = (name: string, names: readonly string[] | undefined, changes: Partial<OfficialCheckpoint> = {}) =>
    read(name).then((checkpoint) => importPrompt(clip, { ...checkpoint, ...changes }, 'end', names))

  it('are compared with those of the file, and put into its order', async () => {
    const shuffled = ['small_house', 'Dog', 'toilet_paper', 'cat']
    const { prompt, names } = await given('csc-middle', shuffled)
    expect(names).toBe('verified')
    expect(prompt.classNames).toEqual(['Dog', 'cat', 'toilet_paper', 'small_house'])
  })

  it('other names: one context goes to them, contexts of their own do not', async () => {
    expect(await given('unified-end', ['horse', 'house'])).toMatchObject({
      names: 'transferred',
      prompt: { classNames: ['horse', 'house'] },
    })
    await expect(given('csc-middle', ['dog', 'cat', 'paper', 'house'])).rejects.toThrow(
      /learned with other classes: paper, house are not among them, toilet paper, small house are missing/,
    )
    await expect(given('csc-middle', ['dog'])).rejects.toThrow(/contexts for 4 classes, but 1 class name was given/)
  })

  it('whose first token the official code lost to a second space of its first words are refused', async () => {
    const checkpoint = await read('unified-end')
    const rows = NAMES.map((name) => {
      const { tokenizer } = clip
      const tokens = [...tokenizer.encode(`${name.replaceAll('_', ' ')}.`).slice(1), tokenizer.endToken]
      return [...tokens, ...Array.from({ length: 12 - tokens.length }, () => 0)]
    })
    const { data } = tokenRows(clip, rows.flat())
    const suffix = floatTensor([NAMES.length, 12, 128], data)
    expect(() => importPrompt(clip, { ...checkpoint, suffix }, 'end', NAMES)).toThrow(
      /lacks the first token of every class name: .* had 1 space too many/,
    )
    expect(() => importPrompt(clip, { ...checkpoint, suffix }, 'end')).toThrow(/cannot be read from its tokens \(""\)/)
  })

  it('of a file that does not say them must be given', async () => {
    const none = { prefix: undefined, suffix: undefined }
    await expect(given('unified-end', undefined, none)).rejects.toThrow(/does not contain the names/)
    expect((await given('unified-end', ['a'], none)).names).toBe('given')
    expect((await given('csc-middle', ['a', 'b', 'c', 'd'], none)).prompt.classNames).toEqual(['a', 'b', 'c', 'd'])
    await expect(given('csc-middle', ['a'], none)).rejects.toThrow(/4 classes, but 1/)
  })
})

describe('what is refused', () => {
  it('another model: other embeddings, another width', async () => {
    const checkpoint = await read('unified-end')
    const weights = new Map(clip.weights)
    const table = weights.get('token_embedding.weight')
    if (table === undefined) throw new Error('a CLIP has embeddings')
    weights.set(
      'token_embedding.weight',
      floatTensor(
        table.shape,
        table.data.map((x) => x + 0.1),
      ),
    )
    expect(() => importPrompt({ ...clip, weights }, checkpoint, 'end')).toThrow(/another model: its start token/)
    expect(() => importPrompt({ ...clip, weights }, { ...checkpoint, prefix: undefined }, 'end')).toThrow(
      /words of class 1/,
    )
    const narrow = { ...clip, config: { ...clip.config, text: { ...clip.config.text, width: 512 } } }
    expect(() => importPrompt(narrow, checkpoint, 'end')).toThrow(
      /vectors have 128 values, the words of this model have 512/,
    )
    expect(() => importPrompt(narrow, checkpoint, 'end')).toThrow(CoopError)
  })

  it.each([
    ['cocoop', /is a CoCoOp prompt: its meta-net/],
    ['legacy', /model\.pth\.tar-50 is a torch file in the old format/],
    ['evil-ctx', /no tensor "ctx", only no tensors at all/],
  ])('%s', async (name, message) => {
    await expect(read(name)).rejects.toThrow(FileError)
    await expect(read(name)).rejects.toThrow(message)
  })

  it('a CLIP', async () => {
    const bytes = gunzipped(new URL('../formats/torch-file/fixtures/openai-vit.pt.gz', import.meta.url))
    await expect(readOfficialCheckpoint(bytesSource('ViT.pt', bytes))).rejects.toThrow(
      /not contain a dictionary of tensors|is a CLIP/,
    )
  })
})

it('what a checkpoint would execute in Python is not executed', async () => {
  // os.system('touch coop-was-executed') beside the tensors, and in their place
  const { ctx, epoch } = await read('evil-beside')
  expect([...ctx.data]).toEqual([0, 1, 2, 3, 4, 5])
  expect(epoch).toBe(3)
  await expect(read('evil-ctx')).rejects.toThrow(FileError)
  expect(existsSync('coop-was-executed')).toBe(false)
})

describe('a context that began from words of several tokens', () => {
  // as trainers/coop.py does: as many tokens of the words are context as there are words; all else is fixed
  const START = 'a toilet-photos drawing'
  const words = START.split(' ').length

  /** The prompts of the official code as `c0 c1 ...` and token ids, and what its checkpoint has. */
  function official(names: readonly string[], position: Position) {
    const { tokenizer } = clip
    const { startToken, endToken } = tokenizer
    const context = Array.from({ length: words }, (_, i) => `c${i}`)
    const suffixes = names.map((name) => tokenizer.encode(`${START} ${name.replaceAll('_', ' ')}.`).slice(words))
    const sequences = suffixes.map((suffix, c) => {
      const length = position === 'end' ? 0 : tokenizer.encode((names[c] ?? '').replaceAll('_', ' ')).length
      const half = position === 'middle' ? Math.floor(words / 2) : 0
      const moved = suffix.slice(0, length)
      return [
        startToken,
        ...context.slice(0, half),
        ...moved,
        ...context.slice(half),
        ...suffix.slice(length),
        endToken,
      ]
    })
    const padded = suffixes.flatMap((suffix) => {
      const room = tokenizer.contextLength - 1 - words
      return [...suffix, endToken, ...Array.from({ length: room }, () => 0)].slice(0, room)
    })
    const { width } = clip.config.text
    const embedded = (tokens: readonly number[]) => {
      const { data } = tokenRows(clip, tokens)
      return floatTensor([names.length, tokens.length / names.length, width], data)
    }
    const checkpoint: OfficialCheckpoint = {
      ctx: floatTensor(
        [words, width],
        Float32Array.from({ length: words * width }, (_, i) => Math.sin(i)),
      ),
      prefix: embedded(names.map(() => startToken)),
      suffix: embedded(padded),
      epoch: 50,
    }
    return { sequences, checkpoint }
  }

  function sequencesOf(prompt: LearnedPrompt) {
    const { sequences, contextRows, tokens } = promptLayout(clip.tokenizer, prompt.classNames, prompt)
    return sequences.map((slots) => slots.map((slot) => (slot < contextRows ? `c${slot}` : tokens[slot - contextRows])))
  }

  it.each(POSITIONS)('%s: what is left of them stays before the names, given or not', async (position) => {
    const { sequences, checkpoint } = official(['Dog', 'cat', 'toilet_paper'], position)
    const given = importPrompt(clip, checkpoint, position, ['cat', 'toilet_paper', 'Dog'])
    expect(given).toMatchObject({ names: 'verified', prompt: { classNames: ['Dog', 'cat', 'toilet_paper'] } })
    expect(sequencesOf(given.prompt)).toEqual(sequences)
    expect(given.prompt.fixed?.length).toBeGreaterThan(0)
    const read = importPrompt(clip, checkpoint, position)
    expect(read).toMatchObject({ names: 'checkpoint', prompt: { classNames: ['dog', 'cat', 'toilet paper'] } })
    expect(sequencesOf(read.prompt)).toEqual(sequences)
    const other = importPrompt(clip, checkpoint, position, ['house', 'small_dog'])
    expect(other.names).toBe('transferred')
    expect(sequencesOf(other.prompt)).toEqual(official(['house', 'small_dog'], position).sequences)
    const saved = await readPrompt(bytesSource('prompt', writePrompt(given.prompt)))
    expect(sequencesOf(saved)).toEqual(sequences)
  })

  it('names that begin alike are not cut where they are given, or have contexts of their own', async () => {
    const { checkpoint } = official(['photo dog', 'photo cat'], 'end')
    const whole = importPrompt(clip, checkpoint, 'end', ['photo cat', 'photo dog'])
    expect(whole.prompt.classNames).toEqual(['photo dog', 'photo cat'])
    const own = { ...checkpoint, ctx: floatTensor([2, words, clip.config.text.width]) }
    expect(importPrompt(clip, own, 'end', undefined).prompt.fixed).toBeUndefined()
  })
})
