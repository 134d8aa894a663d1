import { FileError } from '../../base/errors.ts'
import type { ClipConfig, Weights } from '../../clip/types.ts'
import { openSealed, writeSealed } from '../../formats/sealed.ts'
import { type FloatTensor, floatTensor, type Shape } from '../../graph/index.ts'
import { hashOf } from '../../node/content-hash.ts'
import { fileSource, writeFileAtomic } from '../../node/files.ts'
import type { PretrainSettings } from './settings.ts'
import { startParameters } from './start.ts'
import type { PretrainStep } from './step.ts'

/** First and second moments of each parameter (AdamW). */
interface Moments {
  readonly first: Map<string, Float32Array>
  readonly second: Map<string, Float32Array>
}

/** All that a run needs to go on as if it had never stopped. */
export interface PretrainState {
  /** Steps done. */
  step: number
  readonly parameters: Map<string, Float32Array>
  readonly moments: Moments
  /** Running `NAME.running_mean` and `NAME.running_var` of the batch normalisations. */
  readonly running: Map<string, Float32Array>
}

export function startState(step: PretrainStep, config: ClipConfig, seed: number): PretrainState {
  const parameters = startParameters(step.parameters, config, seed)
  const zeros = () => new Map([...parameters].map(([name, x]) => [name, new Float32Array(x.length)]))
  const running = new Map<string, Float32Array>()
  for (const [name, { channels }] of step.norms) {
    running.set(`${name}.running_mean`, new Float32Array(channels))
    running.set(`${name}.running_var`, new Float32Array(channels).fill(1))
  }
  return { step: 0, parameters, moments: { first: zeros(), second: zeros() }, running }
}

const PARTS = ['x', 'm', 'v', 'running'] as const
const partsOf = ({ parameters, moments, running }: PretrainState) => ({
  x: parameters,
  m: moments.first,
  v: moments.second,
  running,
})

const runOf = (settings: PretrainSettings) => hashOf(JSON.stringify(settings))

export async function saveState(path: string, state: PretrainState, settings: PretrainSettings): Promise<void> {
  const tensors = new Map<string, FloatTensor>()
  const parts = partsOf(state)
  for (const part of PARTS)
    for (const [name, x] of parts[part]) tensors.set(`${part} ${name}`, floatTensor([x.length], x))
  await writeFileAtomic(path, await writeSealed(tensors, { run: runOf(settings), step: `${state.step}` }))
}

/** Fills a fresh state from a checkpoint. Throws FileError when it is damaged, or of a run with other settings. */
export async function loadState(path: string, state: PretrainState, settings: PretrainSettings): Promise<void> {
  const file = await openSealed(await fileSource(path))
  const step = Number(file.metadata.get('step'))
  if (file.metadata.get('run') !== runOf(settings)) {
    throw new FileError(`${path} is the checkpoint of a run with other settings`)
  }
  if (!Number.isInteger(step) || step < 1 || step > settings.steps) {
    throw new FileError(`${path} is damaged: it is of step ${file.metadata.get('step')} of ${settings.steps}`)
  }
  const parts = partsOf(state)
  for (const part of PARTS) {
    for (const [name, x] of parts[part]) {
      const { data } = await file.readFloat(`${part} ${name}`)
      if (data.length !== x.length)
        throw new FileError(`${path}: ${name} has ${data.length} values, this run's has ${x.length}`)
      if (!data.every(Number.isFinite)) {
        throw new FileError(`${path} is damaged: ${name} contains values that are not numbers`)
      }
      x.set(data)
    }
  }
  state.step = step
}

/** The model as it stands, for saving and for use. */
export function weightsOf(state: PretrainState, shapes: ReadonlyMap<string, Shape>): Weights {
  const weights = new Map<string, FloatTensor>()
  for (const [name, x] of state.parameters) weights.set(name, floatTensor(shapes.get(name) ?? [x.length], x))
  for (const [name, x] of state.running) weights.set(name, floatTensor([x.length], x))
  return weights
}
