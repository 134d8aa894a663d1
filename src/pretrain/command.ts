import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { UsageError } from '../errors.ts'
import { nodeRuntime } from '../node/runtime.ts'
import type { Hooks } from '../progress.ts'
import type { RuntimeOptions } from '../runtime/types.ts'
import { openArt, prepareArt } from './art/source.ts'
import { exportModel } from './export.ts'
import { pretrain } from './pretrain.ts'
import { PRETRAIN_DEFAULTS } from './settings.ts'

export interface PretrainOptions extends RuntimeOptions {
  /** Folder of the run. */
  readonly out: string
  readonly seed: number
  /** Length of the whole schedule. */
  readonly steps?: number
  /** Stop after this time, with a checkpoint. */
  readonly hours?: number
  readonly resume: boolean
  readonly force: boolean
  /** Folder where the rendered pictures are kept. */
  readonly cache: string
}

export interface PretrainResult {
  readonly steps: number
  readonly loss: number
  readonly seconds: number
  readonly run: string
}

/** The whole of `coop pretrain`: pictures, training with checkpoints, and the model in `OUT/model`. */
export async function pretrainSmallClip(options: PretrainOptions, hooks: Hooks): Promise<PretrainResult> {
  const started = performance.now()
  const { out, seed, hours, resume, force, cache } = options
  const settings = { ...PRETRAIN_DEFAULTS, seed, steps: options.steps ?? PRETRAIN_DEFAULTS.steps }
  const begun = await access(join(out, 'checkpoint.safetensors')).then(
    () => true,
    () => false,
  )
  if (begun && !resume && !force) {
    throw new UsageError(
      `there is a run in ${out} already`,
      'go on with it (--resume), write over it (--force), or take another folder',
    )
  }
  const pictures = join(cache, 'art')
  await prepareArt(pictures)
  const art = await openArt(pictures)
  const runtime = await nodeRuntime(options)
  if (runtime.note !== undefined) hooks.onWarning?.(runtime.note)
  const signal = hours === undefined ? undefined : AbortSignal.timeout(hours * 3_600_000)
  try {
    const run = await pretrain(art, settings, runtime, out, begun && resume, hooks, signal)
    await exportModel(run, art, settings, join(out, 'model'))
    return { steps: run.state.step, loss: run.loss, seconds: (performance.now() - started) / 1000, run: out }
  } finally {
    await runtime.close()
  }
}
