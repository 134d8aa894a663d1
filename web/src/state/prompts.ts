import { batch, computed, effect, signal } from '@preact/signals'
import type { LearnedPrompt, Prompt } from '../engine.ts'
import { allPictures, type Picture } from './classes.ts'
import { latest } from './latest.ts'
import { engineOf, opening } from './model.ts'
import { settings, type Task, task } from './task.ts'
import { shown, tried } from './trying.ts'

export interface Run {
  readonly prompt: LearnedPrompt
  /** Seconds that learning took; undefined for a run that was loaded. */
  readonly seconds?: number
}

export const handWritten = signal<Prompt | undefined>(undefined)
export const run = signal<Run | undefined>(undefined)

export function setRun(next: Run): void {
  const before = run.value
  run.value = next
  void before?.prompt.dispose()
}

/** What the bars are about: the classes of the page, or where there are none, those of a run that was loaded. */
export const classNames = computed(() => {
  const own = task.value.classNames
  return own.length > 0 ? own : (run.value?.prompt.classNames ?? [])
})

/** Whether what was learned knows all of the page's classes. */
export const fits = computed(() => {
  const known = run.value?.prompt.classNames
  return known !== undefined && classNames.value.every((name) => known.includes(name))
})

/** Whether the learned bars say how often they are right, as those of a run that `coop-ts train` calibrated do. */
export const isCalibrated = computed(() => fits.value && (run.value?.prompt.temperature ?? 1) !== 1)

/** What a prompt says about the held-out pictures. */
export interface Measured {
  readonly task: Task
  /** A row of probabilities for each held-out picture, the columns in the order of the task's classes. */
  readonly rows: readonly (readonly number[])[]
  readonly accuracy: number
}

export const handMeasured = signal<Measured | undefined>(undefined)
export const learnedMeasured = signal<Measured | undefined>(undefined)

/** The prompt's probabilities in the order of the names, only among these. */
export async function answersOf(
  prompt: Prompt,
  names: readonly string[],
  pictures: readonly Picture[],
): Promise<number[][]> {
  const rows = await prompt.answer(pictures.flatMap(({ feature }) => feature ?? []))
  const columns = names.map((name) => prompt.classNames.indexOf(name))
  return rows.map((row) => {
    const some = columns.map((column) => row[column] ?? 0)
    const sum = some.reduce((a, b) => a + b, 0)
    return some.map((p) => p / sum)
  })
}

export const largest = (row: readonly number[]): number => row.indexOf(Math.max(...row))

async function measure(prompt: Prompt, task: Task): Promise<Measured> {
  const pictures = task.test.map(({ picture }) => picture)
  const rows = await answersOf(prompt, task.classNames, pictures)
  const right = task.test.filter(({ label }, i) => largest(rows[i] ?? []) === label).length
  return { task, rows, accuracy: right / task.test.length }
}

const isSeen = ({ test }: Task) => test.length > 0 && test.every(({ picture }) => picture.look.value === 'seen')
const areSame = (a: readonly string[], b: readonly string[]) => a.join('\n') === b.join('\n')

export function startMeasuring(): void {
  const write = latest<Prompt | undefined>((prompt) => {
    const before = handWritten.peek()
    handWritten.value = prompt
    void before?.dispose()
  })
  effect(() => {
    const [engine, names, template] = [engineOf(), classNames.value, settings.template.value]
    if (engine === undefined || names.length < 2 || !template.includes('{}')) return
    void write(() => engine.handWritten(names, template))
  })
  const byHand = latest<Measured | undefined>((measured) => {
    handMeasured.value = measured
  })
  effect(() => {
    const [prompt, now] = [handWritten.value, task.value]
    const ready = prompt && isSeen(now) && areSame(prompt.classNames, now.classNames)
    void byHand(async () => (ready ? measure(prompt, now) : undefined))
  })
  const byLearning = latest<Measured | undefined>((measured) => {
    learnedMeasured.value = measured
  })
  effect(() => {
    const [done, now] = [run.value, task.value]
    const ready = done && fits.value && isSeen(now)
    void byLearning(async () => (ready ? measure(done.prompt, now) : undefined))
  })
  forgetWithTheModel()
  effect(showSomething)
}

/** What was learned belongs to its model: another one does not know it. */
function forgetWithTheModel(): void {
  let engine = engineOf()
  effect(() => {
    if (opening.value.state === 'open' && engineOf() === engine) return
    engine = engineOf()
    batch(() => {
      run.value = undefined
      handWritten.value = undefined
    })
  })
}

/** There is a picture in the frame as soon as there is one to try. */
function showSomething(): void {
  const [first] = task.value.test
  const there = shown.peek()
  const isThere = there && [...allPictures.value, ...tried.peek()].includes(there)
  if (!isThere) shown.value = first?.picture
}
