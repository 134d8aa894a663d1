import { appendFile, mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { DivergedError } from '../../base/errors.ts'
import type { Hooks } from '../../base/progress.ts'
import { orStopped } from '../../base/stop.ts'
import { type FloatTensor, floatTensor, type Tensor } from '../../graph/index.ts'
import { adamWStep } from '../../learning/optimisers.ts'
import { writeFileAtomic } from '../../node/files.ts'
import type { Runtime } from '../../runtime/types.ts'
import { orRemedy } from '../../trained/run-files.ts'
import type { ArtData } from './art/source.ts'
import { batchFeeds } from './batch.ts'
import { learningRate, type PretrainSettings, smallClipConfig } from './settings.ts'
import { loadState, type PretrainState, saveState, startState } from './state.ts'
import { type PretrainStep, pretrainStep, type StepOutput } from './step.ts'

const METRICS = 'metrics.jsonl'
const metricsLine = z.object({ loss: z.number() })
const CHECKPOINT_STEPS = 100
const START_AGAIN = 'start the run again (--force), or choose another folder (--out)'
const RUNNING_MOMENTUM = 0.1
const MAX_LOGIT_SCALE = Math.log(100)

export interface PretrainRun {
  readonly step: PretrainStep
  readonly state: PretrainState
  /** Of the last step. */
  readonly loss: number
}

/**
 * Trains the small CLIP on drawings and captions; a run is a folder with settings, metrics as JSON lines and a
 * checkpoint, and goes on from there when `resume` is set.
 *
 * @throws DivergedError when the loss is not a number
 */
export async function pretrain(
  art: ArtData,
  settings: PretrainSettings,
  runtime: Runtime,
  folder: string,
  resume: boolean,
  hooks: Hooks = {},
  signal?: AbortSignal,
): Promise<PretrainRun> {
  const config = smallClipConfig(settings, art.tables.vocab.size)
  const step = pretrainStep(config, settings)
  const state = startState(step, config, settings.seed)
  const checkpoint = join(folder, 'checkpoint.safetensors')
  await mkdir(folder, { recursive: true })
  if (resume) await orRemedy(loadState(checkpoint, state, settings), START_AGAIN)
  else await rm(checkpoint, { force: true })
  await writeFileAtomic(join(folder, 'settings.json'), `${JSON.stringify(settings, null, 2)}\n`)

  const session = await runtime.load(step.program)
  let next = batchFeeds(art, settings, state.step)
  let loss = await keepMetrics(join(folder, METRICS), state.step)
  while (state.step < settings.steps) {
    const started = performance.now()
    const running = session.run({ ...parameterFeeds(step, state), ...next })
    // The next batch is drawn while this one is in the worker.
    next = batchFeeds(art, settings, state.step + 1)
    const outputs = await orStopped(running, signal).catch((error: unknown) => {
      if (!signal?.aborted) throw error
    })
    if (outputs === undefined) {
      await saveState(checkpoint, state, settings)
      break
    }
    const lr = learningRate(state.step, settings)
    const updated = update(step, state, outputs, settings, lr)
    loss = updated.loss
    state.step++
    const seconds = (performance.now() - started) / 1000
    const line = {
      step: state.step,
      loss,
      lr,
      norm: updated.norm,
      scale: Math.exp(state.parameters.get('logit_scale')?.[0] ?? 0),
      seconds,
    }
    await appendFile(join(folder, METRICS), `${JSON.stringify(line)}\n`)
    hooks.onProgress?.({ kind: 'pretrain', done: state.step, total: settings.steps, loss })
    const stop = signal?.aborted === true || state.step === settings.steps
    if (stop || state.step % CHECKPOINT_STEPS === 0) await saveState(checkpoint, state, settings)
    if (stop) break
  }
  await session.dispose()
  return { step, state, loss }
}

/** Leaves the lines of the steps that the checkpoint has: what came after it is done again. The last one's loss. */
async function keepMetrics(path: string, steps: number): Promise<number> {
  const lines = steps === 0 ? [] : (await readFile(path, 'utf8')).split('\n').slice(0, steps)
  await writeFileAtomic(path, lines.map((line) => `${line}\n`).join(''))
  return lines.length === 0 ? Number.NaN : metricsLine.parse(JSON.parse(lines.at(-1) ?? '')).loss
}

function parameterFeeds(step: PretrainStep, state: PretrainState): Record<string, Tensor> {
  const feeds: Record<string, Tensor> = {}
  for (const [name, x] of state.parameters) feeds[name] = floatTensor(step.parameters.get(name) ?? [], x)
  return feeds
}

/** One step of the optimiser and of the running statistics, in place. */
function update(
  step: PretrainStep,
  state: PretrainState,
  outputs: Readonly<Record<StepOutput, FloatTensor>>,
  settings: PretrainSettings,
  lr: number,
): { loss: number; norm: number } {
  const output = (name: StepOutput) => outputs[name]!.data
  const loss = outputs.loss.data[0] ?? Number.NaN
  const norm = globalNorm([...state.parameters.keys()].map((name) => output(`d ${name}`)))
  if (!Number.isFinite(loss) || !Number.isFinite(norm)) {
    throw new DivergedError(
      `pretraining: the loss is ${loss} at step ${state.step + 1} (learning rate ${lr})`,
      'resume from the last checkpoint with a smaller learning rate',
    )
  }
  const gradientScale = Math.min(1, settings.clipNorm / norm)
  for (const [name, values] of state.parameters) {
    const [first, second] = [state.moments.first.get(name), state.moments.second.get(name)]
    if (first === undefined || second === undefined) throw new RangeError(`no moments for ${name}`)
    // Matrices decay; biases, gains and scalars do not.
    const weightDecay = (step.parameters.get(name)?.length ?? 0) >= 2 ? settings.weightDecay : 0
    const rules = { ...settings, weightDecay, epsilon: 1e-8 }
    adamWStep({ values, first, second }, output(`d ${name}`), state.step + 1, lr, rules, gradientScale)
  }
  const scale = state.parameters.get('logit_scale')
  if (scale !== undefined) scale[0] = Math.min(scale[0] ?? 0, MAX_LOGIT_SCALE)
  for (const [name, { count }] of step.norms) {
    follow(state.running.get(`${name}.running_mean`), output(`mean ${name}`), 1)
    follow(state.running.get(`${name}.running_var`), output(`variance ${name}`), count / (count - 1))
  }
  return { loss, norm }
}

/** r = (1 - momentum) r + momentum factor x, PyTorch's running statistics. */
function follow(running: Float32Array | undefined, x: Float32Array, factor: number): void {
  if (running === undefined) return
  for (let i = 0; i < running.length; i++) {
    running[i] = (1 - RUNNING_MOMENTUM) * running[i]! + RUNNING_MOMENTUM * factor * x[i]!
  }
}

/** Euclidean length of all gradients together. */
function globalNorm(gradients: Iterable<Float32Array>): number {
  let total = 0
  for (const g of gradients) for (let i = 0; i < g.length; i++) total += g[i]! * g[i]!
  return Math.sqrt(total)
}
