import { effect, signal } from '@preact/signals'
import { heldOut } from '../engine.ts'
import { type Part, type Picture, type UsableClass, usable } from './classes.ts'
import { latest } from './latest.ts'

export const DEFAULT_TEMPLATE = 'a photo of a {}.'

export const settings = {
  template: signal(DEFAULT_TEMPLATE),
  recipe: signal<'fast' | 'paper'>('fast'),
  /** Pictures of each class to learn from; 0: all. */
  shots: signal(0),
  classSpecific: signal(false),
  /** Random crops of each picture to learn from; 0: the pictures as they are, which takes the least time. */
  views: signal(0),
  seed: signal(1),
  testShare: signal(0.3),
}

/** A picture and the index of its class. */
export interface Labelled {
  readonly picture: Picture
  readonly label: number
}

export interface Task {
  readonly classNames: readonly string[]
  readonly train: readonly Labelled[]
  readonly test: readonly Labelled[]
}

const NO_TASK: Task = { classNames: [], train: [], test: [] }

/** The classes as they are learned and tested. */
export const task = signal<Task>(NO_TASK)

export function startSplitting(): void {
  const draw = latest<Task>((next) => {
    if (!isSame(task.value, next)) task.value = next
  })
  effect(() => {
    const [classes, share] = [usable.value, settings.testShare.value]
    void draw(async () => (classes.length < 2 ? NO_TASK : split(classes, share)))
  })
}

/** Which pictures are held out follows from their names, as in a folder; of a sample's, it says so, and others of its classes are learned from. */
async function split(classes: readonly UsableClass[], share: number): Promise<Task> {
  const drawn = await heldOut(classes, share)
  const isMarked = classes.map(({ pictures }) => pictures.some(({ part }) => part))
  const partOf = ({ picture, label }: Labelled, part: Part) => (isMarked[label] ? (picture.part ?? 'train') : part)
  const all = (['train', 'test'] as const).flatMap((part) =>
    drawn[part].map((item) => ({ item, part: partOf(item, part) })),
  )
  const itemsOf = (wanted: Part) => all.filter(({ part }) => part === wanted).map(({ item }) => item)
  return { classNames: classes.map(({ name }) => name), train: itemsOf('train'), test: itemsOf('test') }
}

const isSame = (a: Task, b: Task): boolean =>
  a.classNames.join('\n') === b.classNames.join('\n') && haveSame(a.train, b.train) && haveSame(a.test, b.test)

const haveSame = (a: readonly Labelled[], b: readonly Labelled[]): boolean =>
  a.length === b.length && a.every(({ picture, label }, i) => picture === b[i]?.picture && label === b[i]?.label)
