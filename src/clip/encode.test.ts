import { expect, it } from 'vitest'
import { randomFor } from '../base/random.ts'
import { bundledClip } from '../lab/bundled-clip.ts'
import { nodeRuntime } from '../node/runtime.ts'
import { imageEncoder } from './encode.ts'

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
