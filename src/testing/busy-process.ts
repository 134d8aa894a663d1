// The body of a process that a test interrupts, busy in one of these ways: a command that, once interrupted, leaves its
// thread no time for anything (`spin`), or one whose worker makes a session for minutes (`load`).
import { defineCommand } from '../cli/command.ts'
import { runProcess } from '../cli/process.ts'
import { Graph } from '../graph/graph.ts'
import { matmul } from '../graph/index.ts'
import { program } from '../graph/program.ts'
import { floatTensor } from '../graph/tensor.ts'
import { nodeRuntime } from '../node/runtime.ts'

const SIZE = 2000

/** Products of constants, which ONNX Runtime computes while it makes the session. */
async function load(): Promise<void> {
  const graph = new Graph()
  const x = graph.weight('x', floatTensor([SIZE, SIZE]))
  let y = x
  for (let i = 0; i < 2000; i++) y = matmul(y, x)
  const runtime = await nodeRuntime({ threads: 1 })
  process.stdout.write('ready\n')
  await runtime.load(program(graph, { y: matmul(graph.input('feed', [1, SIZE]), y) }))
}

async function spin(signal: AbortSignal | undefined): Promise<void> {
  process.stdout.write('ready\n')
  const waiting = setInterval(() => {}, 1000)
  await new Promise((resolve) => signal?.addEventListener('abort', resolve))
  clearInterval(waiting)
  for (;;);
}

const how = process.argv.at(-1)
process.argv.splice(2, process.argv.length, 'busy')
await runProcess([
  defineCommand({
    name: 'busy',
    summary: 'wait for Ctrl-C',
    operands: [],
    examples: [],
    options: {},
    async run(_settings, _operands, { signal }) {
      await (how === 'load' ? load() : spin(signal))
      return { json: {}, text: '' }
    },
  }),
])
