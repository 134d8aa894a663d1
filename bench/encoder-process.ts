// An image tower in a process of its own, so that its memory can be told: node --import tsx encoder-process.ts TASK
import { randomFor } from '../src/base/random.ts'
import { imageEncoder } from '../src/clip/encode.ts'
import { nodeRuntime } from '../src/node/runtime.ts'
import type { EncoderAnswer, EncoderTask } from './encoders.bench.ts'
import { timed } from './measure.ts'
import { peakMemory } from './memory.ts'
import { randomClip } from './random-model.ts'

const task: EncoderTask = JSON.parse(process.argv[2] ?? '{}')
console.log(JSON.stringify(await measured(task)))

async function measured({ architecture, batch, rounds, threads }: EncoderTask): Promise<EncoderAnswer> {
  const clip = await randomClip(architecture)
  const { size } = clip.config.preprocess
  const runtime = await nodeRuntime({ threads })
  const encoder = imageEncoder(clip, runtime, batch)
  const { normal } = randomFor('bench images', 1)
  const picture = Float32Array.from({ length: 3 * size * size }, normal)
  const pictures = new Array<Float32Array>(batch).fill(picture)
  for (let i = 0; i < 2; i++) await encoder.encode(pictures)
  const times: number[] = []
  for (let round = 0; round < rounds; round++) times.push((await timed(() => encoder.encode(pictures))).ms)
  const memory = await peakMemory()
  await runtime.close()
  return { times, memory }
}
