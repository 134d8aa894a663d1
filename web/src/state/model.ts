import { batch, effect, signal, untracked } from '@preact/signals'
import { type DeviceChoice, type Engine, type ModelChoice, openEngine } from '../engine.ts'
import { allPictures, type Picture } from './classes.ts'
import { tell } from './notices.ts'
import { tried } from './trying.ts'

export const DEVICES = ['auto', 'cpu', 'webgpu'] as const satisfies readonly DeviceChoice[]

export type Opening =
  | { readonly state: 'opening'; readonly text: string; readonly share?: number }
  | { readonly state: 'open'; readonly engine: Engine }
  | { readonly state: 'failed'; readonly error: unknown }

export const device = signal<DeviceChoice>('auto')
export const model = signal<ModelChoice>({ from: 'page' })
export const opening = signal<Opening>({ state: 'opening', text: 'Opening the model' })

export const engineOf = (): Engine | undefined => (opening.value.state === 'open' ? opening.value.engine : undefined)

/** Waits while the model is being opened. Throws why it could not be. */
export function openedEngine(): Promise<Engine> {
  return new Promise((done, fail) => {
    const end = effect(() => {
      const { value } = opening
      if (value.state === 'opening') return
      if (value.state === 'open') done(value.engine)
      else fail(value.error)
      queueMicrotask(() => end())
    })
  })
}

let attempt = 0

/** Opens the chosen model on the chosen device; all pictures are looked at again. */
export async function openModel(): Promise<void> {
  const mine = ++attempt
  const before = untracked(engineOf)
  opening.value = { state: 'opening', text: 'Opening the model' }
  await before?.close().catch(() => {})
  try {
    const engine = await openEngine({
      model: model.value,
      device: device.value,
      onPhase(text, share) {
        if (mine === attempt) opening.value = { state: 'opening', text, share }
      },
    })
    if (mine !== attempt) return void engine.close()
    for (const picture of everyPicture()) {
      picture.feature = undefined
      if (picture.look.value === 'seen') picture.look.value = 'waiting'
    }
    opening.value = { state: 'open', engine }
  } catch (error) {
    if (mine === attempt) opening.value = { state: 'failed', error }
  }
}

/** After a failure: a graphics card that was lost takes all that was on it along, so the model is opened on the CPU. */
export async function seeThatItWorks(): Promise<void> {
  const engine = engineOf()
  if (engine === undefined || (await engine.works())) return
  tell('The device no longer answers: the model is opened again on the CPU.')
  device.value = 'cpu'
  await openModel()
}

const everyPicture = (): readonly Picture[] => [...allPictures.value, ...tried.value]

/** How many pictures the model has yet to look at. */
export const waiting = signal(0)

/** Pictures that the model looks at in one go. */
const AT_ONCE = 96
let looking = false

/** Whenever there are new pictures, the model looks at them. */
export function startLooking(): void {
  effect(() => {
    waiting.value = everyPicture().filter((picture) => picture.look.value === 'waiting').length
    if (waiting.value > 0 && engineOf() && !looking) void lookAtAll()
  })
}

async function lookAtAll(): Promise<void> {
  looking = true
  try {
    for (;;) {
      const engine = engineOf()
      const pictures = everyPicture().filter((picture) => picture.look.value === 'waiting')
      if (!engine || pictures.length === 0) return
      await lookAt(engine, pictures.slice(0, AT_ONCE))
    }
  } finally {
    looking = false
  }
}

async function lookAt(engine: Engine, pictures: readonly Picture[]): Promise<void> {
  const fail = (error: unknown) => pictures.map(() => (error instanceof Error ? error : new Error(String(error))))
  const features = await engine.look(pictures.map(({ file }) => file)).catch(fail)
  if (engine !== engineOf()) return
  batch(() => {
    for (const [i, picture] of pictures.entries()) {
      const seen = features[i]
      if (seen === undefined || seen instanceof Error) picture.look.value = seen ?? new Error('it was left out')
      else {
        picture.feature = seen
        picture.look.value = 'seen'
      }
    }
  })
}
