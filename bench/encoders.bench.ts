import { z } from 'zod'
import { type Bench, type BenchOptions, type Figure, figure } from './bench.ts'
import { inProcess } from './child.ts'

/** The architectures of the paper, and the large one that people use most. */
const ARCHITECTURES = ['RN50', 'RN101', 'ViT-B/32', 'ViT-B/16', 'ViT-L/14']
const BATCHES = [1, 8, 32]

/** What encoder-process.ts is told, and what it answers: milliseconds of each batch, most MB that the process held. */
export interface EncoderTask {
  readonly architecture: string
  readonly batch: number
  readonly rounds: number
  readonly threads: number
}
const encoderAnswer = z.object({ times: z.array(z.number()), memory: z.number() })
export type EncoderAnswer = z.output<typeof encoderAnswer>

export const encoders: Bench = {
  name: 'encoders',
  about: `images a second and memory of CLIP's image towers at their true sizes, random weights, ${BATCHES.join(', ')} at a time`,
  long: true,
  async run(_, { quick, threads }: BenchOptions) {
    const figures: Figure[] = []
    for (const architecture of quick ? ['ViT-B/32'] : ARCHITECTURES) {
      for (const batch of quick ? BATCHES.slice(0, 2) : BATCHES) {
        const task: EncoderTask = { architecture, batch, rounds: quick ? 2 : 5, threads }
        const { times, memory } = await inProcess('encoder-process.ts', task, encoderAnswer)
        const speeds = times.map((ms) => (1000 * batch) / ms)
        figures.push(
          figure(architecture, batch, 'speed', 'images/s', speeds),
          figure(architecture, batch, 'memory', 'MB', [memory]),
        )
      }
    }
    return {
      figures,
      notes: [
        'size: images at a time; memory: of the whole process, the model in JavaScript besides (text tower, too)',
      ],
    }
  },
}
