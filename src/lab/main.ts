// npm run demo, npm run pretrain, npm run samples: commands of this repository alone, which need its development packages of drawings.
import { runProcess } from '../cli/process.ts'
import { demo } from './commands/demo.ts'
import { pretrain } from './commands/pretrain.ts'
import { drawSamples } from './commands/samples.ts'

await runProcess([demo, pretrain, drawSamples])
