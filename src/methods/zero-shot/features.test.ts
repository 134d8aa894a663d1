import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { UsageError } from '../../base/errors.ts'
import { randomFor } from '../../base/random.ts'
import { encodeTexts, imageEncoder } from '../../clip/encode.ts'
import { normaliseRows } from '../../learning/vectors.ts'
import { nodeRuntime } from '../../node/runtime.ts'
import type { Runtime } from '../../runtime/types.ts'
import { tinyClip } from '../../testing/tiny-clip.ts'
import { checkDescriptions, type Descriptions } from './descriptions.ts'
import { fillTemplate, meanTextFeatures, zeroShotClassifier, zeroShotFeatures } from './features.ts'
import { expandTemplates, IMAGENET_80_TEMPLATES, IMAGENET_TEMPLATES, isTemplate, PAPER_TEMPLATES } from './templates.ts'

const clip = await tinyClip()

let runtime: Runtime
beforeAll(async () => {
  runtime = await nodeRuntime({ threads: 1 })
})
afterAll(() => runtime.close())

describe('templates', () => {
  it('take the class name, its _ as spaces, for every {}', () => {
    expect(fillTemplate('a {} in a {} photo', 'toilet_paper')).toBe('a toilet paper in a toilet paper photo')
    expect(fillTemplate('{}.', '$& and $1')).toBe('$& and $1.')
  })

  it('without {} are refused', () => {
    expect(() => fillTemplate('a photo of a dog', 'dog')).toThrow(UsageError)
  })

  it('that are shipped all have their {}', () => {
    const shipped = [...Object.values(PAPER_TEMPLATES), ...IMAGENET_TEMPLATES, ...IMAGENET_80_TEMPLATES]
    for (const template of shipped) expect(fillTemplate(template, 'dog')).toContain('dog')
  })

  it('of ImageNet are seven, and eighty with the seven among them', () => {
    expect(new Set(IMAGENET_TEMPLATES).size).toBe(7)
    expect(new Set(IMAGENET_80_TEMPLATES).size).toBe(80)
    expect(IMAGENET_80_TEMPLATES).toEqual(expect.arrayContaining([...IMAGENET_TEMPLATES]))
  })

  it('may be named as ensembles', () => {
    expect(expandTemplates(['imagenet7', 'a {}'])).toEqual([...IMAGENET_TEMPLATES, 'a {}'])
    expect(['imagenet80', 'a {}', 'constructor', 'imagenet8'].filter(isTemplate)).toEqual(['imagenet80', 'a {}'])
  })
})

/** A runtime that counts its sessions, and whose next one fails if it is told so. */
function counting() {
  const counts = { loads: 0, fails: false }
  const load: Runtime['load'] = (program, options) => {
    counts.loads++
    return counts.fails ? Promise.reject(new Error('no memory')) : runtime.load(program, options)
  }
  const counted: Runtime = { device: 'cpu', load, loadOnnx: (file) => runtime.loadOnnx(file), close: async () => {} }
  return { counts, counted }
}

describe('zero-shot features', () => {
  it('of the same prompts are computed once, of others anew, and a failure is not kept', async () => {
    const { counts, counted } = counting()
    const of = (template: string) =>
      zeroShotFeatures({ clip, runtime: counted, classNames: ['dog', 'cat'], templates: [template] })
    counts.fails = true
    await expect(of('a {}')).rejects.toThrow('no memory')
    counts.fails = false
    const first = await of('a {}')
    const again = await of('a {}')
    expect(counts.loads).toBe(2)
    again.data.fill(0) // it is the caller's own
    expect(await of('a {}')).toEqual(first)
    const other = await of('no {}')
    expect(counts.loads).toBe(3)
    expect(other).not.toEqual(first)
    expect(await of('a {}')).toEqual(first)
    const mean = await meanTextFeatures({ clip, runtime: counted, classNames: ['dog', 'cat'], templates: ['a {}'] })
    expect(mean).not.toEqual(first)
    expect(counts.loads).toBe(5)
  })

  const classesWith = (templates: readonly string[]) => ({
    clip,
    runtime,
    classNames: ['dog', 'toilet_paper'],
    templates,
  })

  it('of one template are its normalised text features', async () => {
    const features = await zeroShotFeatures(classesWith(['a photo of a {}.']))
    const texts = ['a photo of a dog.', 'a photo of a toilet paper.']
    const expected = normaliseRows(await encodeTexts(clip, runtime, texts))
    expect(features.data).toEqual(expect.toSatisfy((data: Float32Array) => close(data, expected.data)))
  })

  it('of several are the mean of normalised features, normalised again', async () => {
    const templates = ['a photo of a {}.', '{}', 'the small {}']
    const features = await zeroShotFeatures(classesWith(templates))
    const each = await Promise.all(templates.map((template) => zeroShotFeatures(classesWith([template]))))
    const mean = each[0]?.data.map((_, i) => each.reduce((sum, { data }) => sum + data[i]! / templates.length, 0))
    const expected = normaliseRows({ dtype: 'float32', shape: [2, 10], data: mean ?? new Float32Array() })
    expect(close(features.data, expected.data)).toBe(true)
    expect(close(features.data, each[0]?.data ?? [])).toBe(false)
  })

  it('of a named ensemble are those of its templates', async () => {
    const features = await zeroShotFeatures(classesWith(['imagenet7']))
    expect(close(features.data, (await zeroShotFeatures(classesWith(IMAGENET_TEMPLATES))).data)).toBe(true)
  })

  describe('of descriptions, class by class', () => {
    const dogs = ['a photo of a dog.', 'the small dogs']
    const described = (descriptions: Descriptions) => zeroShotFeatures({ ...classesWith([]), templates: descriptions })

    it('are the mean of those of each class, however many, {} its name', async () => {
      const features = await described({ toilet_paper: ['a photo of a {}.'], dog: dogs })
      const each = normaliseRows(await encodeTexts(clip, runtime, [...dogs, 'a photo of a toilet paper.']))
      const [a, b, c] = [0, 1, 2].map((i) => each.data.subarray(10 * i, 10 * i + 10))
      const means = Float32Array.from({ length: 20 }, (_, k) =>
        k < 10 ? (a?.[k] ?? 0) + (b?.[k] ?? 0) : (c?.[k - 10] ?? 0),
      )
      expect(close(features.data, normaliseRows({ dtype: 'float32', shape: [2, 10], data: means }).data)).toBe(true)
    })

    it('are found by another spelling of the name, the very same first', async () => {
      const plain = await described({ dog: dogs, toilet_paper: ['the paper'] })
      expect((await described({ 'Toilet Paper': ['the paper'], DOG: dogs })).data).toEqual(plain.data)
      expect((await described({ dog: dogs, DOG: ['a cat'], toilet_paper: ['the paper'] })).data).toEqual(plain.data)
    })

    it('must be there for each class, by one name', async () => {
      await expect(described({ dog: dogs })).rejects.toThrow(/none of the class "toilet_paper"/)
      await expect(described({ Dog: dogs, DOG: dogs, toilet_paper: dogs })).rejects.toThrow(/"Dog" and "DOG" all mean/)
      await expect(described({ dog: [], toilet_paper: dogs })).rejects.toThrow(/list of at least one text/)
    })

    it('are checked against all classes, with what was probably meant', () => {
      const names = ['dog', 'toilet_paper']
      const check = (...keys: string[]) => checkDescriptions(names, Object.fromEntries(keys.map((key) => [key, dogs])))
      expect(() => check('Dog', 'toilet paper')).not.toThrow()
      expect(() => check('dog', 'toilet_papier')).toThrow(
        /"toilet_papier" is none of the classes \(did you mean "toilet_paper"\?\)\n.*none of the class "toilet_paper"/,
      )
      expect(() => check('dog', 'toilet_paper', 'house')).toThrow(/"house" is none of the classes\n?$/)
    })
  })

  it('that are the mean of raw features keep its length', async () => {
    const templates = ['a photo of a {}.', '{}']
    const means = await meanTextFeatures(classesWith(templates))
    const texts = ['a photo of a dog.', 'dog', 'a photo of a toilet paper.', 'toilet paper']
    const each = (await encodeTexts(clip, runtime, texts)).data
    const expected = Array.from({ length: 20 }, (_, k) => {
      const first = Math.floor(k / 10) * 20 + (k % 10)
      return (each[first]! + each[first + 10]!) / 2
    })
    expect(close(means.data, expected)).toBe(true)
  })

  it('need a template', async () => {
    await expect(zeroShotClassifier(classesWith([]))).rejects.toThrow(UsageError)
  })
})

describe('encoders', () => {
  it('give texts the same features in one program or in many', async () => {
    const texts = ['a dog', 'a dog', 'the cat', '', 'a photo of a very long text that is cut at the end of the context']
    const whole = await encodeTexts(clip, runtime, texts)
    const pieces = await encodeTexts(clip, runtime, texts, 5)
    expect(whole.shape).toEqual([5, 10])
    expect(close(whole.data, pieces.data)).toBe(true)
    expect(close(whole.data.subarray(0, 10), whole.data.subarray(10, 20))).toBe(true)
    expect(close(whole.data.subarray(0, 10), whole.data.subarray(20, 30))).toBe(false)
  })

  it('give images the same features whatever the batch', async () => {
    const random = randomFor('pixels')
    const images = Array.from({ length: 5 }, () => Float32Array.from({ length: 3 * 64 }, () => random.normal()))
    const encode = async (batchSize: number) => {
      const encoder = imageEncoder(clip, runtime, batchSize)
      return encoder.encode(images).finally(() => encoder.dispose())
    }
    const [one, three, eight] = [await encode(1), await encode(3), await encode(8)]
    expect(one).toHaveLength(50)
    expect(close(one, three)).toBe(true)
    expect(close(one, eight)).toBe(true)
  })

  it('refuse images of another size', async () => {
    const encoder = imageEncoder(clip, runtime, 2)
    await expect(encoder.encode([new Float32Array(5)])).rejects.toThrow(/\(3, 8, 8\)/)
    await encoder.dispose()
    expect(() => imageEncoder(clip, runtime, 0)).toThrow(UsageError)
  })
})

function close(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  return a.length === b.length && Array.from(a).every((x, i) => Math.abs(x - (b[i] ?? Number.NaN)) < 1e-5)
}
