import { join } from 'node:path'
import type { Hooks } from '../../base/progress.ts'
import { anySignal } from '../../base/stop.ts'
import { imageEncoder } from '../../clip/encode.ts'
import { withClaim } from '../../node/claim.ts'
import { checkWritableFolder, writeFileAtomic } from '../../node/files.ts'
import { checkSameSettings, exists, readJsonObject, refuseExistingRun } from '../../node/run-folder.ts'
import { nodeRuntime } from '../../node/runtime.ts'
import { withModel } from '../../runs/model.ts'
import type { RuntimeOptions } from '../../runtime/types.ts'
import { openHeldOut } from '../demo/held-out.ts'
import { heldOutAccuracy, type StyleAccuracy } from '../demo/held-out-accuracy.ts'
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
  /** Zero-shot accuracy on each drawing style kept out of training. */
  readonly heldOut: Readonly<Record<string, StyleAccuracy>>
}

/** Milliseconds that a timer can wait; more would end it at once. */
const LONGEST_TIMER = 2 ** 31 - 1

/** The whole of `npm run pretrain`: pictures, training with checkpoints, and the model in `OUT/model`. */
export async function pretrainSmallClip(options: PretrainOptions, hooks: Hooks): Promise<PretrainResult> {
  return withClaim(options.out, hooks, (hooks) => pretrainClaimed(options, hooks))
}

async function pretrainClaimed(options: PretrainOptions, hooks: Hooks): Promise<PretrainResult> {
  const started = performance.now()
  const { out, seed, hours, resume, force, cache } = options
  const settings = { ...PRETRAIN_DEFAULTS, seed, steps: options.steps ?? PRETRAIN_DEFAULTS.steps }
  await refuseExistingRun(out, 'checkpoint.safetensors', { resume, force })
  await checkWritableFolder(out)
  const goesOn = resume && (await exists(join(out, 'checkpoint.safetensors')))
  if (goesOn) checkSameSettings(out, await readJsonObject(join(out, 'settings.json')), { ...settings })
  const pictures = join(cache, 'art')
  await prepareArt(pictures)
  const art = await openArt(pictures)
  const runtime = await nodeRuntime(options)
  if (runtime.note !== undefined) hooks.onWarning?.(runtime.note)
  const timeUp =
    hours === undefined ? undefined : AbortSignal.timeout(Math.min(Math.round(hours * 3_600_000), LONGEST_TIMER))
  const model = join(out, 'model')
  try {
    const { state, step, loss } = await pretrain(
      art,
      settings,
      runtime,
      out,
      goesOn,
      hooks,
      anySignal(hooks.signal, timeUp),
    )
    hooks.signal?.throwIfAborted()
    await exportModel({ state, step, loss }, art, settings, model)
    const heldOut = await measureHeldOut(model, options, hooks)
    await writeFileAtomic(join(out, 'held-out.json'), `${JSON.stringify(heldOut, null, 2)}\n`)
    return { steps: state.step, loss, seconds: (performance.now() - started) / 1000, run: out, heldOut }
  } finally {
    await runtime.close()
  }
}

/** Zero-shot accuracy of a model folder on the drawing styles kept out of training. */
export async function measureHeldOut(
  model: string,
  options: RuntimeOptions,
  hooks: Hooks,
): Promise<Record<string, StyleAccuracy>> {
  const drawings = await openHeldOut()
  return withModel(model, options, hooks, async (clip, runtime) => {
    const encoder = imageEncoder(clip, runtime, 64)
    return heldOutAccuracy(clip, runtime, encoder, drawings, hooks)
  })
}
