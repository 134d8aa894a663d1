import type { SampleTask } from '../../data/samples.ts'
import type { HeldOut } from '../demo/held-out.ts'
import { peopleTaskList } from '../demo/people.ts'
import { sample } from '../demo/pictures.ts'
import type { DemoImage, HeldOutStyle } from '../demo/types.ts'

/** A picture of a sample task: an emoji in a style, and the name of its file. */
interface SamplePicture {
  readonly style: HeldOutStyle
  readonly code: string
  readonly file: string
}

/** A sample task before its pictures are drawn. */
export interface PlannedTask extends Pick<SampleTask, 'name' | 'title' | 'about' | 'template'> {
  readonly classes: readonly {
    readonly name: string
    readonly train: readonly SamplePicture[]
    readonly test: readonly SamplePicture[]
  }[]
}

const STYLES: readonly (readonly [style: HeldOutStyle, name: string])[] = [
  ['fluent-3d', '3d'],
  ['fluent-flat', 'flat'],
  ['fluent-high-contrast', 'monochrome'],
]
/** The two that draw people in all their variants. */
const PEOPLE_STYLES = STYLES.slice(0, 2)

/** Variants of each class in two styles: 16 pictures to learn from, 8 to test on. */
const VARIANTS = { train: 8, test: 4 }
/** Things drawn in each of three styles. */
const THINGS = { train: 16, test: 20 }

const ABOUT_PEOPLE =
  'Microsoft Fluent emoji, 3D and flat; a drawing that is tested (a man, woman or person in one skin tone) is learned from in neither style.'

/** Tasks of the demo, with the classes taken from it by their names there and the folder's name where that differs. */
const FROM_DEMO: readonly {
  readonly name: 'fantasy' | 'sports' | 'professions'
  readonly classes: readonly (string | readonly [name: string, folder: string])[]
}[] = [
  { name: 'fantasy', classes: ['elf', 'fairy', 'mage', 'mermaid', 'superhero', 'supervillain', 'vampire'] },
  {
    name: 'sports',
    classes: [
      'biking',
      'cartwheeling',
      'golfing',
      'juggling',
      ['rowing a boat', 'rowing'],
      'surfing',
      'swimming',
      ['lifting weights', 'weightlifting'],
    ],
  },
  {
    name: 'professions',
    classes: ['artist', 'astronaut', 'cook', 'detective', 'farmer', 'firefighter', 'pilot', 'singer'],
  },
]

/** The tasks of `samples/`: always the same pictures. */
export function plannedTasks(heldOut: HeldOut): PlannedTask[] {
  const demo = new Map(peopleTaskList(heldOut).map((task) => [task.name, task]))
  const people = FROM_DEMO.flatMap(({ name, classes }) => {
    const task = demo.get(name)
    if (task === undefined) return []
    const { title, prompt: template } = task
    const planned = classes.map((row) => {
      const [demoName, folder] = typeof row === 'string' ? [row, row] : row
      const label = task.classNames.indexOf(demoName)
      const part = (of: 'train' | 'test') => {
        const codes = sample(codesOf(task[of], label), VARIANTS[of], 'samples', name, demoName, of).sort()
        return codes.flatMap((code) => PEOPLE_STYLES.map(([style, word]) => picture(style, code, `-${word}`)))
      }
      return { name: folder, train: part('train'), test: part('test') }
    })
    return [{ name, title, about: ABOUT_PEOPLE, template, classes: planned }]
  })
  return [...people, styleTask(heldOut)]
}

function codesOf(images: readonly DemoImage[], label: number): string[] {
  const of = images.filter((image) => image.label === label)
  return [...new Set(of.map(({ id }) => id.slice(id.indexOf('/') + 1)))]
}

/** Which style a thing is drawn in, which is hard to say in words. */
function styleTask(heldOut: HeldOut): PlannedTask {
  const things = [...heldOut.emoji.values()].filter(
    ({ code, group, tones }) =>
      tones.length === 0 &&
      ['animals-nature', 'food-drink', 'travel-places'].includes(group) &&
      STYLES.every(([style]) => heldOut.has(style, code)),
  )
  const codes = sample(
    things.map(({ code }) => code),
    THINGS.train + THINGS.test,
    'samples',
    'style',
  )
  const part = (style: HeldOutStyle, some: readonly string[]) =>
    [...some].sort().map((code) => picture(style, code, ''))
  return {
    name: 'style',
    title: 'Drawing style',
    about:
      'Microsoft Fluent emoji of animals, food and places in three styles; no thing that is learned from is tested, in any style.',
    template: 'an emoji in {} style.',
    classes: STYLES.map(([style, name]) => ({
      name,
      train: part(style, codes.slice(0, THINGS.train)),
      test: part(style, codes.slice(THINGS.train)),
    })),
  }
}

const picture = (style: HeldOutStyle, code: string, ending: string): SamplePicture => ({
  style,
  code,
  file: `${code.toLowerCase()}${ending}.png`,
})
