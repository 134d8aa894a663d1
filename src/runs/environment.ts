import { createRequire } from 'node:module'
import { availableParallelism, cpus } from 'node:os'
import { z } from 'zod'
import { packageVersion } from '../node/package.ts'
import type { Runtime, RuntimeOptions } from '../runtime/types.ts'
import type { RunRecord } from '../trained/record.ts'

/** What a run's speed and last digits depend on, apart from its settings. */
export function environmentOf(
  { device }: Pick<Runtime, 'device'>,
  { threads, command }: RuntimeOptions & { readonly command?: readonly string[] },
): RunRecord['environment'] {
  return {
    coop: packageVersion(),
    onnxruntime: onnxruntimeVersion(),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    threads: threads ?? availableParallelism(),
    device,
    date: new Date().toISOString(),
    command: command && [...command],
  }
}

function onnxruntimeVersion(): string {
  const found: unknown = createRequire(import.meta.url)('onnxruntime-node/package.json')
  return z.object({ version: z.string() }).parse(found).version
}
