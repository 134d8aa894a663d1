import { expect, it } from 'vitest'
import { floatToHalf, halfToFloat } from '../../formats/half.ts'
import { floatTensor } from '../../graph/tensor.ts'
import { tinyClip } from '../../testing/tiny-clip.ts'
import { fingerprintOf } from './fingerprint.ts'
import { SmallWeights } from './small-weights.ts'

it('float16 weights are held as such and come back as they were; others stay float32', async () => {
  const { config, weights } = await tinyClip()
  const half = new Map(
    Array.from(
      weights,
      ([name, { shape, data }]) => [name, floatTensor(shape, halfToFloat(floatToHalf(data)))] as const,
    ),
  )
  const bytes = (of: ReadonlyMap<string, { data: Float32Array }>) =>
    Array.from(of.values()).reduce((sum, { data }) => sum + data.byteLength, 0)
  for (const [given, share] of [[half, 0.5] as const, [weights, 1] as const]) {
    const small = new SmallWeights()
    for (const [name, tensor] of given) small.set(name, tensor)
    expect(small.byteLength / bytes(given)).toBeCloseTo(share, 1)
    expect(bytes(small)).toBe(bytes(given))
    expect([...small.keys()]).toEqual([...given.keys()])
    expect(new Map(small.entries())).toEqual(given)
    const seen: string[] = []
    small.forEach((tensor, name) => {
      seen.push(name)
      expect(tensor).toEqual(given.get(name))
    })
    expect(seen).toHaveLength(given.size)
    expect(small.get('logit_scale')).toEqual(given.get('logit_scale'))
    expect(small.get('no such tensor')).toBeUndefined()
    expect(await fingerprintOf(config, small)).toBe(await fingerprintOf(config, given))
  }
})
