// The body of a process that a test kills: `train` or `sweep` with what stands as JSON on its command line.
import { z } from 'zod'
import { sweep } from '../runs/sweep/sweep.ts'
import { train } from '../runs/train.ts'

const words = z.object({ kind: z.enum(['train', 'sweep']), what: z.string(), options: z.looseObject({}) })
const { kind, what, options } = words.parse(JSON.parse(process.argv[2] ?? ''))
await (kind === 'train' ? train(what, options) : sweep(what, options))
