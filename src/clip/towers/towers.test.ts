import { describe, expect, it } from 'vitest'
import {
  add,
  concat,
  conv2d,
  expand,
  Graph,
  matmul,
  quickGelu,
  reshape,
  type Shape,
  scale,
  slice,
  type Value,
} from '../../graph/index.ts'
import { evaluate, randomTensor, worstError } from '../../testing/engine.ts'
import { checkGradient } from '../../testing/gradient-check.ts'
import { tinyClip, tinyConfig, tinyResNetConfig } from '../../testing/tiny-clip.ts'
import type { Clip } from '../types.ts'
import { expectedTensors } from '../weights/expected.ts'
import { constantParameters, type Parameters } from '../weights/parameters.ts'
import type { Between, Place } from './between.ts'
import { imageTower } from './image-tower.ts'
import { pack } from './packing.ts'
import { textTower } from './text-tower.ts'

const vit = await tinyClip(tinyConfig({}, { layers: 2 }))
const resNet = await tinyClip(tinyResNetConfig())
const IMAGES = 2

/** A tower with all its weights frozen, over an input x of the given shape. */
interface Tower {
  readonly shape: Shape
  features(x: Value, between?: Between): Value
}

const pixelShape = ({ config }: Clip): Shape => [IMAGES, 3, config.preprocess.size, config.preprocess.size]

const imageTowerOf = (clip: Clip): Tower => ({
  shape: pixelShape(clip),
  features: (x, between) => imageTower(constantParameters(x.graph, clip.weights), clip.config, x, between),
})

/** Sequences with a beginning that is shared and tails of two lengths. */
const packing = pack([
  [1, 2, 3, 9],
  [1, 2, 4, 5, 9],
  [1, 2, 6, 9],
])
const texts: Tower = {
  shape: [packing.slots.length, vit.config.text.width],
  features(x, between) {
    const { text, embedDim } = vit.config
    return textTower(constantParameters(x.graph, vit.weights), text, embedDim, packing, x, { between })
  },
}

/** The largest difference that stepping in makes to the features. */
async function change({ shape, features }: Tower, between: Between): Promise<number> {
  const x = new Graph().constant(randomTensor(shape, 1))
  const { changed, plain } = await evaluate({ changed: features(x, between), plain: features(x) })
  return worstError(changed.data, plain.data)
}

/** relu's kinks: finite differences step over some. */
const KINKS = 1e-3

describe('gradients of the image tower towards pixels and all parameters', () => {
  it.each([
    ['vit', vit, 1e-4],
    ['resnet', resNet, KINKS],
  ] as const)('%s', (_, clip, tolerance) => {
    const learned = Array.from(expectedTensors(clip.config)).filter(
      ([name]) => name.startsWith('visual.') && !name.includes('running_'),
    )
    const names = learned.map(([name]) => name)
    const build = (pixels: Value, ...changes: Value[]) => {
      const frozen = constantParameters(pixels.graph, clip.weights)
      const p: Parameters = (name, shape) => {
        const d = changes[names.indexOf(name)]
        return d === undefined ? frozen(name, shape) : add(frozen(name, shape), scale(d, 0.1))
      }
      return imageTower(p, clip.config, pixels)
    }
    return checkGradient({ shapes: [pixelShape(clip), ...learned.map(([, shape]) => shape)], build, tolerance })
  })
})

describe('stepping in between the blocks', () => {
  it.each([
    ['vit', imageTowerOf(vit), 'image', 2],
    ['resnet', imageTowerOf(resNet), 'image', 5],
    ['text', texts, 'text', 2],
  ] as const)('happens before each block: %s', (_, { shape, features }, tower, blocks) => {
    const places: Place[] = []
    features(new Graph().input('x', shape), (x, place) => {
      places.push(place)
      return x
    })
    expect(places).toEqual(Array.from({ length: blocks }, (_, block) => ({ tower, block })))
  })

  it.each([
    ['vit', imageTowerOf(vit)],
    ['resnet', imageTowerOf(resNet)],
    ['text', texts],
  ] as const)('refuses a state that the block does not take: %s', (_, { shape, features }) => {
    const x = new Graph().input('x', shape)
    expect(() => features(x, (state) => slice(state, 0, 1, state.shape[0] ?? 0))).toThrow(
      /block 0 of the (image|text) tower takes \(/,
    )
    expect(() => features(x, (state) => reshape(state, [-1]))).toThrow(/but was given .* instead/)
  })
})

describe('deep prompts in a ViT', () => {
  const tower = imageTowerOf(vit)
  const { width } = vit.config.vision
  /** Behind the class token the prompts of each block, in place of those of the block before. */
  const deepPrompts =
    (prompts: readonly Value[]): Between =>
    (x, { block }) => {
      const [n = 0, tokens = 0] = x.shape
      const [M = 0] = prompts[block]?.shape ?? []
      const before = prompts[block - 1]?.shape[0] ?? 0
      const own = expand(reshape(prompts[block] ?? x, [1, M, width]), [n, M, width])
      return concat([slice(x, 1, 0, 1), own, slice(x, 1, 1 + before, tokens)], 1)
    }

  it('have gradients that equal finite differences', () =>
    checkGradient({
      shapes: [tower.shape, [3, width], [2, width]],
      build: (x, ...prompts) => tower.features(x, deepPrompts(prompts)),
    }))

  it('change nothing where there are none, and something where there are some', async () => {
    const prompts = (...lengths: number[]): Between => {
      return (x, place) => deepPrompts(lengths.map((M) => x.graph.constant(randomTensor([M, width], 5))))(x, place)
    }
    expect(await change(tower, prompts(0, 0))).toBeLessThan(1e-6)
    expect(await change(tower, prompts(0, 2))).toBeGreaterThan(1e-3)
  })

  it('may be any number of tokens: attention to each of them twice is attention to each once', async () => {
    const twice: Between = (x, { block }) => (block === 0 ? concat([x, x], 1) : x)
    const once: Between = (x, { block }) => (block === 0 ? concat([x, x], 1) : slice(x, 1, 0, (x.shape[1] ?? 0) / 2))
    expect(await change(tower, twice)).toBeLessThan(1e-6)
    expect(await change(tower, once)).toBeLessThan(1e-6)
  })
})

describe('residual adapters', () => {
  const { width } = vit.config.text
  const inner = 2
  const channels = 64
  const ADAPTERS = [
    {
      name: 'the rows of the text tower',
      tower: texts,
      shapes: [
        [width, inner],
        [inner, width],
      ],
      tolerance: 5e-5,
      adapter: (down: Value, up: Value): Between => {
        return (x) => add(x, matmul(quickGelu(matmul(x, down)), up))
      },
    },
    {
      name: 'the channels of a ResNet, before its last block',
      tower: imageTowerOf(resNet),
      shapes: [
        [inner, channels, 1, 1],
        [channels, inner, 1, 1],
      ],
      tolerance: KINKS,
      adapter: (down: Value, up: Value): Between => {
        return (x, { block }) => (block === 4 ? add(x, conv2d(quickGelu(conv2d(x, down)), up)) : x)
      },
    },
  ]

  it.each(ADAPTERS)('$name: gradients equal finite differences', ({ tower, shapes, tolerance, adapter }) =>
    checkGradient({
      shapes: [tower.shape, ...shapes],
      build: (x, down = x, up = x) => tower.features(x, adapter(down, up)),
      tolerance,
    }),
  )

  it.each(ADAPTERS)('$name: change nothing with up = 0', async ({ tower, shapes: [down = [], up = []], adapter }) => {
    const withUp = (strength: number): Between => {
      return (x, place) => {
        const weight = (shape: Shape, factor: number) => x.graph.constant(randomTensor(shape, 1, (u) => factor * u))
        return adapter(weight(down, 1), weight(up, strength))(x, place)
      }
    }
    expect(await change(tower, withUp(0))).toBeLessThan(1e-6)
    expect(await change(tower, withUp(1))).toBeGreaterThan(1e-3)
  })
})
