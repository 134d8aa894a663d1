import { expect, it } from 'vitest'
import { randomFor } from '../base/random.ts'
import { bundledClip } from '../lab/bundled-clip.ts'
import { nodeRuntime } from '../node/runtime.ts'
import { tinyClip } from '../testing/tiny-clip.ts'
import { imageEncoder, openTowerEarly } from './encode.ts'

it('an image has the same features, to the last digit, in batches of any size and beside any others', async () => {
  const clip = await bundledClip()
  const { size } = clip.config.preprocess
  const { normal } = randomFor('images', 1)
  const images = Array.from({ length: 5 }, () => Float32Array.from({ length: 3 * size * size }, normal))
  for (const threads of [1, 2]) {
    const runtime = await nodeRuntime({ threads })
    const found: Float32Array[] = []
    for (const batchSize of [32, 8, 3, 1]) {
      const encoder = imageEncoder(clip, runtime, batchSize)
      found.push(await encoder.encode(images))
      await encoder.dispose()
    }
    for (const features of found) expect(features).toEqual(found[0])
    await runtime.close()
  }
})

it('a tower that was opened early is the next encoder’s of that model, and of no other', async () => {
  const [clip, other] = [await bundledClip(), await tinyClip()]
  const runtime = await nodeRuntime({ threads: 1 })
  let loaded = 0
  const counting: typeof runtime = {
    device: runtime.device,
    load: (...args) => {
      loaded++
      return runtime.load(...args)
    },
    loadOnnx: (file) => runtime.loadOnnx(file),
    close: () => runtime.close(),
  }
  const image = new Float32Array(3 * clip.config.preprocess.size ** 2).fill(0.5)
  const expected = await imageEncoder(clip, runtime, 2).trunk([image])
  openTowerEarly(clip, counting, 4)
  await imageEncoder(other, counting, 2).dispose()
  for (const [batchSize, loads] of [
    [4, 1],
    [2, 2],
  ]) {
    const encoder = imageEncoder(clip, counting, 2)
    expect(encoder.batchSize).toBe(batchSize)
    expect(await encoder.trunk([image])).toEqual(expected)
    expect(loaded).toBe(loads)
    await encoder.dispose()
  }
  await runtime.close()
})
