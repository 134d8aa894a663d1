import { nodeRuntime } from '../node/runtime.ts'
import { trainInFolder } from '../runs/run.ts'
import { toyTask } from './toy-task.ts'

// The body of a process that a test kills: trains the toy task in a folder, from its last checkpoint on.
const [folder = '', epochs = ''] = process.argv.slice(2)
const runtime = await nodeRuntime({ threads: 1 })
await trainInFolder(folder, toyTask(runtime, { epochs: Number(epochs) }), { resume: true, checkpointSeconds: 0 })
await runtime.close()
