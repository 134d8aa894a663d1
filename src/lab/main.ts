// npm run demo, npm run pretrain: commands of this repository alone, which need its development packages of drawings.
import { runProcess } from '../cli/process.ts'
import { demo } from './commands/demo.ts'
import { pretrain } from './commands/pretrain.ts'

await runProcess([demo, pretrain])
