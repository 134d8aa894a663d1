import { describe, expect, it } from 'vitest'
import { CoopError } from '../../base/errors.ts'
import { randomFor } from '../../base/random.ts'
import { type FloatTensor, floatTensor } from '../../graph/tensor.ts'
import { normaliseRows } from '../../learning/vectors.ts'
import { engine } from '../../testing/engine.ts'
import { longestHold, UNNOTICED } from '../../testing/ticks.ts'
import { centredRows } from './centred.ts'
import { classRows } from './classes.ts'
import { alikePictures } from './duplicates.ts'
import { confirmed, othersSay, suspectLabels } from './labels.ts'
import { mapOf } from './map.ts'
import { nearestOthers } from './neighbours.ts'
import { outliersOf } from './outliers.ts'
import { inspectionTables } from './tables.ts'
import type { PictureRow } from './types.ts'

/** Rows around a direction of each class. */
function clouds(perClass: number, classes: number, d: number, noise: number): { x: FloatTensor; labels: number[] } {
  const labels = Array.from({ length: perClass * classes }, (_, i) => i % classes)
  const x = floatTensor([labels.length, d])
  for (const [i, label] of labels.entries()) {
    const [centre, random] = [randomFor('centre', label), randomFor('noise', i)]
    for (let j = 0; j < d; j++) x.data[i * d + j] = 3 + centre.normal() + noise * random.normal()
  }
  return { x, labels }
}

const dot = ({ shape, data }: FloatTensor, i: number, j: number): number => {
  const d = shape[1] ?? 0
  let sum = 0
  for (let k = 0; k < d; k++) sum += (data[i * d + k] ?? 0) * (data[j * d + k] ?? 0)
  return sum
}

describe('features from their mean', () => {
  it('have length 1, and are zero where all pictures are equal', async () => {
    const { x } = clouds(5, 3, 7, 0.5)
    const rows = await centredRows(x)
    for (let i = 0; i < 15; i++) expect(dot(rows, i, i)).toBeCloseTo(1, 5)
    const equal = await centredRows(floatTensor([4, 3], new Float32Array(12).fill(0.7)))
    expect([...equal.data]).toEqual(Array(12).fill(0))
  })

  it('must be numbers', async () => {
    await expect(centredRows(floatTensor([1, 2], Float32Array.of(1, Number.NaN)))).rejects.toThrow(CoopError)
  })
})

describe('the nearest others', () => {
  it('are those of the largest cosines', async () => {
    const x = await centredRows(clouds(30, 3, 8, 1).x)
    const { count, indices, cosines } = await nearestOthers(engine, x, 4)
    expect(count).toBe(4)
    for (const i of [0, 17, 89]) {
      const all = Array.from({ length: 90 }, (_, j) => ({ j, cosine: dot(x, i, j) })).filter(({ j }) => j !== i)
      const best = all.sort((a, b) => b.cosine - a.cosine).slice(0, 4)
      expect([...indices.subarray(4 * i, 4 * i + 4)]).toEqual(best.map(({ j }) => j))
      for (const [k, { cosine }] of best.entries()) expect(cosines[4 * i + k]).toBeCloseTo(cosine, 5)
    }
  })

  it('are fewer where there are fewer pictures', async () => {
    expect((await nearestOthers(engine, floatTensor([2, 3], Float32Array.of(1, 0, 0, 0, 1, 0)), 5)).count).toBe(1)
    expect((await nearestOthers(engine, floatTensor([1, 3]), 5)).count).toBe(0)
  })

  it('hear of Ctrl-C', async () => {
    const x = await centredRows(clouds(30, 3, 8, 1).x)
    const signal = AbortSignal.abort(new Error('enough'))
    await expect(nearestOthers(engine, x, 4, { signal })).rejects.toThrow('enough')
  })
})

describe('pictures that are alike', () => {
  const lonely = { count: 1, indices: Int32Array.of(1, 0, 0, 0), cosines: Float32Array.of(0.5, 0.5, 0.1, 0.1) }

  it('have the same content, or are near each other, and stand in one group', async () => {
    expect(await alikePictures(['a', 'b', 'a', 'c'], lonely)).toEqual([{ pictures: [0, 2], same: true, cosine: 1 }])
    const cosines = Float32Array.of(0.985, 0.99, 0.99, 0.2, 0.2, 0.2, 0.2)
    const near = { count: 1, indices: Int32Array.of(1, 2, 1, 0, 0, 0, 0), cosines }
    const [group] = await alikePictures([...'abcdefg'], near)
    expect(group).toMatchObject({ pictures: [0, 1, 2], same: false })
    expect(group?.cosine).toBeCloseTo(0.985)
  })

  it('are nearer than a tenth of what is usual', async () => {
    const near = {
      count: 1,
      indices: Int32Array.of(1, 0, 3, 2, 3),
      cosines: Float32Array.of(0.995, 0.995, 0.98, 0.98, 0.98),
    }
    // usual 0.98: only what is nearer than 0.998 stands out
    expect(await alikePictures(['a', 'b', 'c', 'd', 'e'], near)).toEqual([])
  })

  it('are one group where all are the same', async () => {
    const groups = await alikePictures(Array(4).fill('x'), lonely)
    expect(groups).toEqual([{ pictures: [0, 1, 2, 3], same: true, cosine: 1 }])
  })
})

describe('what the other pictures say', () => {
  it('is the nearest class mean without the picture itself', async () => {
    const { x: features, labels } = clouds(4, 3, 6, 1.5)
    const x = await centredRows(features)
    const { probabilities, heard } = await othersSay(engine, x, labels, 3)
    expect(heard.every(Boolean)).toBe(true)
    const ratios: number[] = []
    for (let i = 0; i < 12; i++) {
      const means = normaliseRows(
        floatTensor(
          [3, 6],
          Float32Array.from({ length: 18 }, (_, k) => {
            const [label, j] = [Math.floor(k / 6), k % 6]
            return labels.reduce((sum, own, o) => sum + (own === label && o !== i ? (x.data[o * 6 + j] ?? 0) : 0), 0)
          }),
        ),
      )
      const row = Float32Array.from([...means.data, ...x.data.subarray(i * 6, i * 6 + 6)])
      const cosines = [0, 1, 2].map((c) => dot(floatTensor([4, 6], row), c, 3))
      const log = (c: number) => Math.log(probabilities.data[i * 3 + c] ?? 0)
      // log p differs between classes by cosine / temperature, the same temperature everywhere
      for (const c of [1, 2]) ratios.push(((cosines[c] ?? 0) - (cosines[0] ?? 0)) / (log(c) - log(0)))
    }
    for (const ratio of ratios) expect(ratio).toBeCloseTo(ratios[0] ?? 0, 3)
    expect(ratios[0]).toBeGreaterThan(0)
  })

  it('is not heard of a picture that is alone in its class', async () => {
    const { x } = clouds(1, 3, 6, 1)
    const { heard, probabilities } = await othersSay(engine, await centredRows(x), [0, 1, 1], 2)
    expect(heard).toEqual([false, true, true])
    expect(probabilities.data.every(Number.isFinite)).toBe(true)
  })
})

describe('suspect labels', () => {
  // thresholds: class 0 (0.9 + 0.6 + 0.1) / 3 = 0.533; class 1 (0.8 + 0.45) / 2 = 0.625
  const probabilities = floatTensor([5, 2], Float32Array.of(0.9, 0.1, 0.6, 0.4, 0.1, 0.9, 0.2, 0.8, 0.55, 0.45))
  const labels = [0, 0, 0, 1, 1]

  it('are those of which another class is seen with more confidence than usual', async () => {
    const suspects = await suspectLabels(probabilities, labels, Array(5).fill(true))
    expect(suspects.map(({ picture, suggested }) => [picture, suggested])).toEqual([
      [2, 1],
      [4, 0],
    ])
    expect(suspects[0]?.doubt).toBeCloseTo(0.8)
  })

  it('are those, too, of which another class is clearly more probable, if not as usual', async () => {
    const sure = floatTensor([4, 2], Float32Array.of(0.99, 0.01, 0.98, 0.02, 0.02, 0.98, 0.7, 0.3))
    const suspects = await suspectLabels(sure, [0, 0, 1, 1], Array(4).fill(true))
    expect(suspects.map(({ picture, suggested }) => [picture, suggested])).toEqual([[3, 0]])
  })

  it('are none of pictures without a judgement, which count in no threshold', async () => {
    const judged = [true, true, false, true, true]
    const suspects = await suspectLabels(probabilities, labels, judged)
    // without the third picture class 0 is usually seen with 0.75
    expect(suspects).toEqual([])
  })
})

describe('neighbours of a suspect', () => {
  it('confirm it where most of the nearest five bear the label suggested', () => {
    const labels = [0, 1, 1, 1, 1, 1, 0, 0]
    const near = (first: readonly number[]) => ({
      count: 5,
      indices: Int32Array.from({ length: 40 }, (_, k) => first[k % 5] ?? 0),
      cosines: new Float32Array(40),
    })
    const suspect = { picture: 0, suggested: 1, doubt: 0.5 }
    expect(confirmed([suspect], labels, near([1, 2, 6, 3, 7]))).toEqual([suspect])
    expect(confirmed([suspect], labels, near([1, 6, 2, 7, 0]))).toEqual([])
  })

  it('are as few as there are pictures of the class', () => {
    const suspect = { picture: 0, suggested: 1, doubt: 0.5 }
    const near = { count: 3, indices: Int32Array.of(1, 2, 3), cosines: new Float32Array(3) }
    expect(confirmed([suspect], [0, 1, 0, 0], near)).toEqual([suspect])
  })
})

describe('outliers', () => {
  it('lie three deviations below the median', async () => {
    const cosines = Float32Array.from({ length: 40 }, (_, i) => 0.8 + 0.01 * (i % 5))
    cosines[7] = 0.1
    const found = await outliersOf(40, { count: 1, indices: new Int32Array(40), cosines })
    expect(found.map(({ picture }) => picture)).toEqual([7])
    expect(
      await outliersOf(40, { count: 1, indices: new Int32Array(40), cosines: new Float32Array(40).fill(0.5) }),
    ).toEqual([])
  })
})

describe('the map', () => {
  it('keeps neighbours together, and is the same each time', async () => {
    const { x: features, labels } = clouds(20, 4, 16, 0.5)
    const x = await centredRows(features)
    const neighbours = await nearestOthers(engine, x, 10)
    const map = await mapOf(x, neighbours)
    expect(await mapOf(x, neighbours)).toEqual(map)
    expect(Math.min(...map)).toBe(0)
    expect(Math.max(...map)).toBe(1)
    const distance = (i: number, j: number) =>
      Math.hypot((map[2 * i] ?? 0) - (map[2 * j] ?? 0), (map[2 * i + 1] ?? 0) - (map[2 * j + 1] ?? 0))
    const same = labels.filter((label, i) => {
      const others = labels.map((_, j) => j).filter((j) => j !== i)
      const nearest = others.reduce((a, b) => (distance(i, b) < distance(i, a) ? b : a))
      return labels[nearest] === label
    })
    expect(same.length).toBeGreaterThanOrEqual(76)
  })

  it('has finite places for pictures that are all equal, and for one alone', async () => {
    for (const n of [6, 1]) {
      const x = floatTensor([n, 3])
      expect((await mapOf(x, await nearestOthers(engine, x, 10))).every(Number.isFinite)).toBe(true)
    }
  })
})

const row = (label: string, answer: string, part: PictureRow['part'] = 'test'): PictureRow => {
  return { picture: 0, file: 'a.png', part, label, answer, probability: 0.9, ofLabel: 0.1, zeroShot: label }
}

describe('classes', () => {
  it('come in the order of the errors that one more picture may take away', () => {
    const judged = [row('a', 'a'), row('a', 'b'), row('b', 'b'), row('b', 'b'), row('c', 'b'), row('c', 'c')]
    const trained = [...Array(4).fill('a'), ...Array(4).fill('b'), ...Array(2).fill('c')].map((c) => row(c, c, 'train'))
    const rows = classRows(['a', 'b', 'c', 'd'], [...judged, ...trained], judged)
    // e / n: a (1 + 1) / (2 + 2) / 4, b (2 + 1) / (4 + 2) / 4, c (1 + 1) / (2 + 2) / 2, d 1 / 2
    expect(rows.map(({ label, need }) => [label, need])).toEqual([
      ['d', 1 / 2],
      ['c', 1 / 4],
      ['a', 1 / 8],
      ['b', 1 / 8],
    ])
    expect(rows[2]).toMatchObject({ trained: 4, tested: 2, accuracy: 0.5, wronglyGiven: 0, takenFor: 'b' })
    expect(rows[0]).toMatchObject({ tested: 0, accuracy: null, interval: null, takenFor: null })
  })
})

describe('all tables', () => {
  it('of a thousand pictures leave the thread free', async () => {
    const { x, labels } = clouds(50, 20, 64, 1)
    const logits = floatTensor([1000, 20])
    const pictures = labels.map((label, i) => ({ file: `${i}.png`, part: 'test' as const, label, content: `${i}` }))
    const classNames = Array.from({ length: 20 }, (_, c) => `class ${c}`)
    const given = { classNames, pictures, features: x, logits, zeroShot: logits }
    expect(await longestHold(() => inspectionTables(given, engine))).toBeLessThan(UNNOTICED)
  })

  const { x: features, labels } = clouds(24, 3, 8, 0.3)
  const wrong = 5
  const given = labels.map((label, i) => (i === wrong ? (label + 1) % 3 : label))
  const logits = floatTensor([72, 3])
  for (const [i, label] of labels.entries()) logits.data[i * 3 + label] = 4
  logits.data.set([0, 9, 0], 0) // picture 0 is of class 0
  const inspected = {
    classNames: ['x', 'y', 'z'],
    pictures: given.map((label, i) => ({
      file: `${i}.png`,
      part: i % 2 === 1 ? ('train' as const) : ('test' as const),
      label,
      content: i === 1 ? 'content 0' : `content ${i}`,
    })),
    features,
    logits,
    zeroShot: floatTensor([72, 3]),
  }

  it('agree with what was put in', async () => {
    const tables = await inspectionTables(inspected, engine)
    expect(tables.judged).toMatchObject({ part: 'test', seen: false, tested: 36, accuracy: 35 / 36, zeroShot: 1 / 3 })
    expect(tables.mistakes.map(({ file, label, answer }) => [file, label, answer])).toEqual([['0.png', 'x', 'y']])
    expect(tables.labels[0]).toMatchObject({ file: '5.png', label: 'x', suggested: 'z' })
    expect(tables.duplicates[0]).toMatchObject({ same: true, acrossParts: true, differentLabels: true })
    expect(tables.confusion.find(({ label, answer }) => label === 'x' && answer === 'y')?.pictures).toEqual([0])
    const cells = tables.confusion.reduce((sum, { pictures }) => sum + pictures.length, 0)
    expect(cells).toBe(36)
    const counted = tables.reliability.bins.reduce((sum, { count }) => sum + count, 0)
    expect(counted).toBe(36)
    expect(tables.map).toHaveLength(72)
    expect(JSON.stringify(tables)).not.toMatch(/null,null|NaN/)
  })

  it('are of the training pictures where there are no others, and say so', async () => {
    const pictures = inspected.pictures.map((picture) => ({ ...picture, part: 'train' as const }))
    const tables = await inspectionTables({ ...inspected, pictures }, engine)
    expect(tables.judged).toMatchObject({ part: 'train', seen: true, tested: 72 })
    expect(tables.judged.leftOut).toBeGreaterThan(0.95)
    expect(tables.labels[0]).toMatchObject({ file: '5.png', suggested: 'z' })
  })
})
