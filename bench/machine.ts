import { cpus, totalmem } from 'node:os'
import { environmentOf } from '../src/runs/environment.ts'

/** What figures depend on. */
export interface Machine {
  readonly processor: string
  readonly cores: number
  /** Those given to ONNX Runtime. */
  readonly threads: number
  /** Bytes. */
  readonly memory: number
  readonly node: string
  readonly onnxruntime: string
  readonly platform: string
}

export function machineOf(threads: number): Machine {
  const { cpu, node, onnxruntime, platform } = environmentOf({ device: 'cpu' }, { threads })
  return { processor: cpu, cores: cpus().length, threads, memory: totalmem(), node, onnxruntime, platform }
}
