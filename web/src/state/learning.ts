import { batch, signal } from '@preact/signals'
import { forgetKept, keep } from './kept.ts'
import { engineOf, openedEngine, seeThatItWorks } from './model.ts'
import { isAbort, tell, tellBriefly, tellError } from './notices.ts'
import { setRun } from './prompts.ts'
import { type Labelled, settings, task } from './task.ts'

export interface Point {
  readonly step: number
  readonly value: number
}

export interface Learning {
  /** What is being done before the first step. */
  readonly phase: string
  /** Of all that is to be done, from 0 to 1. */
  readonly share: number
  readonly steps: number
  readonly losses: readonly Point[]
  readonly accuracies: readonly Point[]
  /** The vectors as they are by now. */
  readonly vectors: readonly Float32Array[]
}

const NOTHING_YET: Learning = { phase: 'Getting ready', share: 0, steps: 0, losses: [], accuracies: [], vectors: [] }

/** The training that is under way. */
export const learning = signal<Learning | undefined>(undefined)
/** The curves of the last one. */
export const curves = signal<Learning | undefined>(undefined)

let stop = new AbortController()
export const stopLearning = (): void => stop.abort()

export async function learn(): Promise<void> {
  const engine = engineOf()
  if (engine === undefined || learning.value) return
  stop = new AbortController()
  learning.value = NOTHING_YET
  const show = (changes: Partial<Learning>) => {
    learning.value = { ...(learning.value ?? NOTHING_YET), ...changes }
  }
  const started = performance.now()
  try {
    const now = task.value
    await keep(now)
    const prompt = await engine.learn({
      classNames: now.classNames,
      train: filesOf(now.train),
      test: filesOf(now.test),
      template: settings.template.value,
      seed: settings.seed.value,
      recipe: settings.recipe.value,
      shots: settings.shots.value,
      classSpecific: settings.classSpecific.value,
      views: settings.views.value,
      signal: stop.signal,
      onPhase: (phase, share) => show({ phase, share }),
      onSteps: (losses, steps) => show({ steps, share: losses.length / steps, losses }),
      onAccuracy: (step, value, vectors) =>
        show({ accuracies: [...(learning.value?.accuracies ?? []), { step, value }], vectors }),
      onWarning: (text) => tell(text),
    })
    setRun({ prompt, seconds: (performance.now() - started) / 1000 })
  } catch (error) {
    if (isAbort(error)) tellBriefly('Training was stopped.')
    else {
      tellError(error)
      await seeThatItWorks()
    }
  } finally {
    await forgetKept()
    batch(() => {
      curves.value = learning.value
      learning.value = undefined
    })
  }
}

const filesOf = (items: readonly Labelled[]) => items.map(({ picture: { file }, label }) => ({ file, label }))

/** Whether it was opened; why not is told. */
export async function loadRun(file: Blob): Promise<boolean> {
  try {
    const engine = await openedEngine()
    const prompt = await engine.open(file)
    batch(() => {
      setRun({ prompt })
      curves.value = undefined
    })
    const { classNames } = prompt
    const some = classNames.slice(0, 4).join(', ') + (classNames.length > 4 ? ' …' : '')
    tellBriefly(`Loaded a prompt for ${classNames.length} classes: ${some}`)
    return true
  } catch (error) {
    tellError(error)
    return false
  }
}
