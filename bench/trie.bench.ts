import { readClipTables } from '../src/clip/tokenizer/load.ts'
import { createTokenizer } from '../src/clip/tokenizer/tokenizer.ts'
import { pack } from '../src/clip/towers/packing.ts'
import type { Clip } from '../src/clip/types.ts'
import { coopStep } from '../src/methods/coop/program.ts'
import { fileSource } from '../src/node/files.ts'
import { clipMerges } from '../src/node/package.ts'
import { type PromptLayout, promptLayout } from '../src/prompt/layout.ts'
import { tinyClip, tinyConfig } from '../src/testing/tiny-clip.ts'
import { AIRCRAFT, CARS } from './alike-names.ts'
import { type Bench, type Figure, figure } from './bench.ts'
import { interleaved, ratios } from './measure.ts'
import { BATCH, expectEqual, feedsFor, M } from './training-step.ts'

/** Steps one after the other in each round: the first finds the weights of another session in the cache. */
const STEPS = 3
/** Relative to the largest entry. */
const BOUND = 1e-4

export const trie: Bench = {
  name: 'trie',
  about: `one training step of class names that begin alike, M = ${M}, at CLIP's text width: with one prefix, and with trees`,
  async run(runtime, { quick }) {
    const figures: Figure[] = []
    for (const [what, names] of Object.entries(quick ? { aircraft: AIRCRAFT } : { aircraft: AIRCRAFT, cars: CARS })) {
      const clip = await clipFor(names)
      const trees = promptLayout(clip.tokenizer, names, { M, position: 'end', classSpecific: false })
      const prefix = onePrefix(trees)
      const feeds = feedsFor(clip, trees)
      const sessions = []
      for (const layout of [prefix, trees]) sessions.push(await runtime.load(coopStep(clip, layout, BATCH)))
      const [a, b] = await Promise.all(sessions.map((session) => session.run(feeds)))
      if (a === undefined || b === undefined) throw new Error('there are two sessions')
      for (const name of ['loss', 'gradient.ctx'] as const) expectEqual(name, b[name], a[name], BOUND)

      const tasks = sessions.flatMap((session) => new Array<typeof session>(STEPS).fill(session))
      const times = await interleaved(
        tasks.map((session) => () => session.run(feeds)),
        quick ? 2 : 4,
      )
      const [one, many] = [times.slice(0, STEPS).flat(), times.slice(STEPS).flat()]
      figures.push(
        figure('one prefix', what, 'step', 'ms', one),
        figure('trees', what, 'step', 'ms', many),
        figure('one prefix', what, "times trees'", 'x', ratios(one, many)),
        figure('one prefix', what, 'rows', 'rows', [prefix.packing.slots.length]),
        figure('trees', what, 'rows', 'rows', [trees.packing.slots.length]),
      )
      for (const session of sessions) await session.dispose()
    }
    return { figures, notes: [`the same loss and gradient, to ${BOUND} of the largest entry`] }
  },
}

/** A CLIP with random weights, CLIP ViT-B's text tower, and of its vocabulary the tokens of the names. */
async function clipFor(names: readonly string[]): Promise<Clip> {
  const contextLength = 77
  const whole = createTokenizer({ ...(await readClipTables(await fileSource(clipMerges()))), contextLength })
  const tokens = [...new Set([...names.flatMap((name) => whole.tokenize(`${name}.`))])]
  const ids = new Map(tokens.map((token, id) => [token, id]))
  const id = (token: number) => ids.get(token) ?? 0
  const config = tinyConfig({
    contextLength,
    width: 512,
    heads: 8,
    layers: 12,
    mlpWidth: 2048,
    vocabSize: tokens.length,
  })
  const clip = await tinyClip({ ...config, embedDim: 512 })
  const tokenizer = {
    ...whole,
    startToken: id(whole.startToken),
    endToken: id(whole.endToken),
    encode: (text: string) => whole.encode(text).map(id),
  }
  return { ...clip, tokenizer }
}

/** The same prompts with a slot of its own for every word behind their common beginning: nothing else is shared. */
function onePrefix(layout: PromptLayout): PromptLayout {
  const { contextRows, packing } = layout
  const tokens = [...layout.tokens]
  const sequences = layout.sequences.map((slots) =>
    slots.map((slot, position) => {
      const token = layout.tokens[slot - contextRows]
      return position < packing.prefix || token === undefined ? slot : contextRows + tokens.push(token) - 1
    }),
  )
  return { ...layout, tokens, sequences, packing: pack(sequences) }
}
