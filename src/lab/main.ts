// npm run demo, pretrain, samples, kernels: commands of this repository alone, which need its development packages.
import { runProcess } from '../cli/process.ts'
import { demo } from './commands/demo.ts'
import { makeKernels } from './commands/kernels.ts'
import { pretrain } from './commands/pretrain.ts'
import { drawSamples } from './commands/samples.ts'

await runProcess([demo, pretrain, drawSamples, makeKernels])
