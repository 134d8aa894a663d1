import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ShapeError } from '../base/errors.ts'
import { floatTensor } from '../graph/tensor.ts'
import { batchesOf, type Feed, featureFeeds, inOrder, pixelFeeds, shuffled, stepsOf } from './batches.ts'

describe('batches', () => {
  it('drop what is left over, unless it is all there is or kept', () => {
    expect(batchesOf([5, 3, 1, 4, 2], 2)).toEqual([
      [5, 3],
      [1, 4],
    ])
    expect(batchesOf([1, 0], 32)).toEqual([[1, 0]])
    expect([stepsOf(5, 2), stepsOf(2, 32), stepsOf(32, 32)]).toEqual([2, 1, 1])
    expect(batchesOf([5, 3, 1], 2, true)).toEqual([[5, 3], [1]])
    expect([stepsOf(5, 2, true), stepsOf(0, 2), stepsOf(0, 2, true)]).toEqual([3, 0, 0])
  })

  it('hold every image at most once, in a new order each epoch', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 40 }), (n, size) => {
        const order = shuffled(1)
        const images = batchesOf(order(0, n), size).flat()
        expect(new Set(images).size).toBe(images.length)
        expect(images.length).toBe(stepsOf(n, size) * Math.min(n, size))
        expect(batchesOf(order(0, n), size, true).flat()).toEqual(Array.from(order(0, n)))
        if (n > 8) expect(Array.from(order(0, n))).not.toEqual(Array.from(order(1, n)))
      }),
    )
  })

  it('go first to last where they are to', () => {
    expect([0, 5].map((epoch) => Array.from(inOrder(epoch, 3)))).toEqual([
      [0, 1, 2],
      [0, 1, 2],
    ])
  })
})

describe('feeds', () => {
  const values = (feed: Feed) => Object.values(feed).map(({ data }) => Array.from(data, Number))

  it('show each image its views in turn', async () => {
    const features = floatTensor([2, 3, 1], Float32Array.of(0, 1, 2, 10, 11, 12))
    const feeds = featureFeeds({ features, labels: [4, 5] })
    const shown = await Promise.all([0, 1, 2, 3].map((epoch) => feeds.of([1, 0], epoch)))
    expect(feeds.images).toBe(2)
    expect(shown.map(values)).toEqual([
      [
        [11, 0],
        [5, 4],
      ],
      [
        [12, 1],
        [5, 4],
      ],
      [
        [10, 2],
        [5, 4],
      ],
      [
        [11, 0],
        [5, 4],
      ],
    ])
  })

  it('of views drawn anew: each epoch once, the next while one is learned from, none after the last', async () => {
    const drawn: number[] = []
    const online = {
      key: '',
      async features(epoch: number) {
        drawn.push(epoch)
        return floatTensor([2, 1, 1], Float32Array.of(epoch, 10 + epoch))
      },
    }
    const feeds = featureFeeds({ features: floatTensor([2, 3, 1]), labels: [4, 5] }, online, 2)
    expect(values(await feeds.of([1], 0))).toEqual([[10], [5]])
    expect(drawn).toEqual([0, 1])
    expect(values(await feeds.of([0], 0))).toEqual([[0], [4]])
    expect(values(await feeds.of([0, 1], 1))).toEqual([
      [1, 11],
      [4, 5],
    ])
    await feeds.close?.()
    expect(drawn).toEqual([0, 1])
    const strange = featureFeeds({ features: floatTensor([3, 1, 1]), labels: [0, 0, 0] }, online, 2)
    await expect(strange.of([0], 0)).rejects.toThrow(ShapeError)
  })

  it('of pixels are asked for image by image', async () => {
    const pixels = async (images: readonly number[], epoch: number) =>
      floatTensor([images.length, 3, 1, 1], Float32Array.from(images.flatMap((image) => [image, epoch, 7])))
    const feeds = pixelFeeds({ images: 3, pixels }, [6, 7, 8])
    const feed = await feeds.of([2, 0], 5)
    expect([feeds.images, feed.pixels?.shape]).toEqual([3, [2, 3, 1, 1]])
    expect(values(feed)).toEqual([
      [2, 5, 7, 0, 5, 7],
      [8, 6],
    ])
  })
})
