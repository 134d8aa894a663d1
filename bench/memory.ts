import { readFile } from 'node:fs/promises'
import { type Program, sizeOf, type Value } from '../src/graph/index.ts'
import { resolve } from '../src/graph/program.ts'

/** Most memory, in MB, that this process has held so far. */
export async function peakMemory(): Promise<number> {
  const status = await readFile('/proc/self/status', 'utf8').catch(() => '')
  const kilobytes = /^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? process.resourceUsage().maxRSS
  return Number(kilobytes) / 1000
}

/** Operators whose output is their input under another shape. */
const VIEWS = new Set(['Reshape', 'Squeeze', 'Unsqueeze', 'Flatten', 'Identity'])

/**
 * About how many MB a process takes that runs a program: what is alive at the same time as ONNX Runtime goes through it,
 * the weights as they lie in memory (once in JavaScript, and packed for each direction), and Node itself.
 */
export function estimatedMemory({ nodes, weights, constants, outputs }: Program): number {
  const ownerOf = (x: Value): Value => {
    const y = resolve(x)
    const [from] = y.node.inputs
    return VIEWS.has(y.node.op) && from !== undefined ? ownerOf(from) : y
  }
  const lastUse = new Map<Value, number>()
  for (const [i, { inputs }] of nodes.entries()) for (const x of inputs) lastUse.set(ownerOf(x), i)
  for (const x of outputs.values()) lastUse.set(ownerOf(x), nodes.length)
  const freed = nodes.map((): number[] => [])
  let alive = 0
  let most = 0
  for (const [i, node] of nodes.entries()) {
    for (const y of VIEWS.has(node.op) ? [] : node.outputs) {
      const bytes = (y.dtype === 'int64' ? 8 : 4) * sizeOf(y.shape)
      alive += bytes
      freed[lastUse.get(y) ?? i]?.push(bytes)
    }
    most = Math.max(most, alive)
    for (const bytes of freed[i] ?? []) alive -= bytes
  }
  const held = new Set([...weights, ...constants].flatMap(({ tensor }) => tensor?.data ?? []))
  const fixed = [...held].reduce((total, { byteLength }) => total + byteLength, 0)
  return (NODE_BYTES + WEIGHT_COPIES * fixed + ARENA * most) / 1e6
}

const NODE_BYTES = 250e6
const WEIGHT_COPIES = 3
/** ONNX Runtime takes its memory in pieces, and reuses what fits. */
const ARENA = 1.5
