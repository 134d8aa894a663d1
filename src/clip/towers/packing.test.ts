import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { add, Graph, gather, gradients, mul, sum } from '../../graph/index.ts'
import { evaluate, randomTensor, worstError } from '../../testing/engine.ts'
import { tinyClip, tinyConfig } from '../../testing/tiny-clip.ts'
import { positionRows } from '../encode.ts'
import { constantParameters } from '../weights/parameters.ts'
import { type Packing, pack } from './packing.ts'
import { textTower } from './text-tower.ts'

type Sequences = readonly (readonly number[])[]

const SLOTS = 6
const clip = await tinyClip(tinyConfig({ layers: 2, heads: 3 }), 3)
const { text, embedDim } = clip.config

/** Few slots, so that many begin alike; some are the same, and some begin others. */
const someSequences = fc.array(
  fc.array(fc.nat(SLOTS - 1), { minLength: 1, maxLength: 7 }).map((rest) => [0, ...rest]),
  { minLength: 1, maxLength: 24 },
)

/** The same for another family: other slots, and more of them equal. */
const halved = (sequences: Sequences): Sequences => sequences.map((s) => s.map((slot) => Math.floor(slot / 2)))

/** Features by textTower, and the gradient of a weighted sum of them towards the embeddings of the slots. */
async function computed(packing: Packing, embeddingOf = (slot: number) => slot) {
  const graph = new Graph()
  const table = graph.input('table', [SLOTS, text.width])
  const rows = gather(table, graph.ints(packing.slots.map(embeddingOf)))
  const x = add(rows, graph.constant(positionRows(clip, packing.positions)))
  const features = textTower(constantParameters(graph, clip.weights), text, embedDim, packing, x)
  const loss = sum(mul(features, graph.constant(randomTensor(features.shape, 2))), [0, 1])
  const [gradient = table] = gradients(loss, [table])
  return evaluate({ features, gradient }, { table: randomTensor([SLOTS, text.width], 1) })
}

/** Every slot behind the first is one of its own, so that nothing is shared but what all begin with: the first. */
const apart = (sequences: Sequences): Sequences =>
  sequences.map((s, i) => s.map((slot, position) => (position === 0 ? slot : slot + SLOTS * (1 + 100 * i + position))))

const beginnings = (sequences: Sequences) =>
  new Set(sequences.flatMap((s) => s.map((_, position) => s.slice(0, position + 1).join()))).size

const largestTree = ({ trees }: Packing) => Math.max(...trees.map(({ length }) => length))

describe('sequences that begin alike', () => {
  it('have the features and gradients of sequences that share one prefix, or nothing', async () => {
    await fc.assert(
      fc.asyncProperty(someSequences, fc.integer({ min: 1, max: 3 }), async (sequences, families) => {
        const all = [halved(sequences), sequences, sequences].slice(0, families).flat()
        const trees = await computed(pack(all, true, families))
        const plain = await computed(pack(all, false))
        const onePrefix = await computed(pack(apart(all), true), (slot) => slot % SLOTS)
        for (const name of ['features', 'gradient'] as const) {
          expect(worstError(trees[name].data, plain[name].data)).toBeLessThan(1e-5)
          expect(worstError(trees[name].data, onePrefix[name].data)).toBeLessThan(1e-5)
        }
      }),
      { numRuns: 12, seed: 1 },
    )
  })

  it('have each row once, and no more rows than without trees', () => {
    fc.assert(
      fc.property(someSequences, (sequences) => {
        const { slots, positions } = pack(sequences)
        expect(slots.length).toBe(positions.length)
        expect(slots.length).toBeGreaterThanOrEqual(beginnings(sequences))
        expect(slots.length).toBeLessThanOrEqual(pack(apart(sequences)).slots.length)
      }),
    )
  })

  it('have hardly more rows than there are beginnings', () => {
    const aircraft = ['737-200', '737-300', '737-400', '737-500', '747-100', '747-200', 'A310', 'A318', 'A319', 'A320']
    const sequences = aircraft.map((name) => [...`^${name}.$`].map((character) => character.charCodeAt(0)))
    const { slots, positions } = pack(sequences)
    expect(slots.length).toBeLessThanOrEqual(beginnings(sequences) + 1)
    const rows = slots.map((slot, i) => `${slot} at ${positions[i]}`)
    expect(rows.filter((row) => row === `${'3'.charCodeAt(0)} at 2`)).toHaveLength(2) // 73, A3
  })

  it('stand in trees that stay small however many there are, at the price of a few rows', () => {
    const sequences = Array.from({ length: 3000 }, (_, i) => [0, 1 + (i % 2), 3 + (i % 100), 1000 + i, 200, 201])
    const packing = pack(sequences)
    expect(largestTree(packing)).toBeLessThanOrEqual(128)
    expect(packing.slots.length).toBeLessThan(1.04 * beginnings(sequences))
  })
})

describe('sequences that share nothing but a prefix', () => {
  it('stand side by side in trees', () => {
    expect(
      pack([
        [9, 1, 5],
        [9, 2, 6, 5],
        [9, 3, 5],
      ]),
    ).toEqual({
      families: 1,
      prefix: 1,
      trees: [[-1, 0, 1, -1, 3, -1, 5]],
      slots: [9, 2, 6, 5, 1, 5, 3, 5],
      positions: [0, 1, 2, 3, 1, 2, 1, 2],
      ends: [5, 3, 7],
    })
  })

  it('are left as they are where nothing is to be shared', () => {
    const same = pack(
      [
        [7, 8],
        [7, 8],
      ],
      false,
    )
    expect(same).toMatchObject({
      prefix: 0,
      trees: [
        [-1, 0],
        [-1, 0],
      ],
      slots: [7, 8, 7, 8],
      ends: [1, 3],
    })
  })
})

it('takes equal sequences as one, where features are asked for too', async () => {
  const twice = pack([
    [0, 1, 2],
    [0, 3, 2],
    [0, 1, 2],
  ])
  expect(twice.slots).toHaveLength(5)
  const { features } = await computed(twice)
  const [a, b, c] = [0, 1, 2].map((i) => features.data.slice(i * embedDim, (i + 1) * embedDim))
  expect(c).toEqual(a)
  expect(b).not.toEqual(a)
})
