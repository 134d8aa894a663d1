import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { build } from 'tsdown'
import { packageFolder } from '../../src/node/package.ts'

/** The program as plain JavaScript: most of a kill's time is the start of a process, and from its source that takes twice as long. */
export interface Program {
  readonly coop: string
  readonly pretrain: string
  remove(): Promise<void>
}

const ENTRIES = [
  'src/cli/main.ts',
  'src/node/worker.js',
  'src/datasets/parquet/parquet-worker.js',
  'test/faults/pretrain-child.ts',
]

export async function buildProgram(): Promise<Program> {
  const cache = join(packageFolder(), '.cache')
  await mkdir(cache, { recursive: true })
  const outDir = await mkdtemp(join(cache, 'faults-'))
  await chmod(outDir, 0o755)
  await build({
    config: false,
    cwd: packageFolder(),
    root: '.',
    entry: ENTRIES,
    outDir,
    clean: false,
    dts: false,
    unbundle: true,
    fixedExtension: false,
    platform: 'node',
    target: 'node20.19',
    logLevel: 'error',
    inputOptions: { checks: { pluginTimings: false } },
  })
  return {
    coop: join(outDir, 'src/cli/main.js'),
    pretrain: join(outDir, 'test/faults/pretrain-child.js'),
    remove: () => rm(outDir, { recursive: true, force: true }),
  }
}
