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

/** A sample says which of its pictures are held out; of others it follows from their names. */
async function split(classes: readonly UsableClass[], share: number): Promise<Task> {
  const marked = (part: Part) =>
    classes.flatMap(({ pictures }, label) =>
      pictures.filter((picture) => picture.part === part).map((picture) => ({ picture, label })),
    )
  const others = classes.map(({ name, pictures }) => ({ name, pictures: pictures.filter(({ part }) => !part) }))
  const drawn = await heldOut(others, share)
  const byClass = (items: readonly Labelled[]) => [...items].sort((a, b) => a.label - b.label)
  return {
    classNames: classes.map(({ name }) => name),
    train: byClass([...marked('train'), ...drawn.train]),
    test: byClass([...marked('test'), ...drawn.test]),
  }
}

const isSame = (a: Task, b: Task): boolean =>
  a.classNames.join('\n') === b.classNames.join('\n') && haveSame(a.train, b.train) && haveSame(a.test, b.test)

const haveSame = (a: readonly Labelled[], b: readonly Labelled[]): boolean =>
  a.length === b.length && a.every(({ picture, label }, i) => picture === b[i]?.picture && label === b[i]?.label)
