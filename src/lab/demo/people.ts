import type { Emoji } from '../pretrain/art/emoji.ts'
import type { HeldOut } from './held-out.ts'
import { demoImage, drawings } from './pictures.ts'
import type { DemoImage, DemoTask, HeldOutStyle } from './types.ts'

/** A class: the emoji's label without `man`, `woman` or `person`, and how the class is called where that differs. */
type ClassRow = string | readonly [role: string, name: string]

interface PeopleTask {
  readonly name: string
  readonly title: string
  readonly prompt: string
  readonly classes: readonly ClassRow[]
}

export const peopleStyles: readonly HeldOutStyle[] = ['fluent-3d', 'openmoji']

/** Each class has a person, a man and a woman in six skin tones: 18 drawings in each of two styles. */
const peopleTasks: readonly PeopleTask[] = [
  {
    name: 'professions',
    title: 'Professions',
    prompt: 'an emoji of a {}, a profession.',
    classes: [
      'health worker',
      'student',
      'teacher',
      'judge',
      'farmer',
      'cook',
      'mechanic',
      'factory worker',
      'office worker',
      'scientist',
      'technologist',
      'singer',
      'artist',
      'pilot',
      'astronaut',
      'firefighter',
      'police officer',
      'detective',
      'guard',
      'construction worker',
    ],
  },
  {
    name: 'sports',
    title: 'Sports',
    prompt: 'an emoji of a person {}, a sport.',
    classes: [
      'golfing',
      'surfing',
      ['rowing boat', 'rowing a boat'],
      'swimming',
      ['bouncing ball', 'bouncing a ball'],
      'lifting weights',
      'biking',
      'mountain biking',
      'cartwheeling',
      'playing water polo',
      'playing handball',
      'juggling',
    ],
  },
  {
    name: 'activities',
    title: 'Activities',
    prompt: 'an emoji of a person {}.',
    classes: [
      ['getting massage', 'getting a massage'],
      ['getting haircut', 'getting a haircut'],
      'walking',
      'standing',
      'kneeling',
      ['with white cane', 'with a white cane'],
      ['in motorized wheelchair', 'in a motorized wheelchair'],
      ['in manual wheelchair', 'in a manual wheelchair'],
      'running',
      ['in steamy room', 'in a steamy room'],
      'climbing',
      ['in lotus position', 'in lotus position'],
    ],
  },
  {
    name: 'gestures',
    title: 'Gestures',
    prompt: 'an emoji of a person {}.',
    classes: [
      'frowning',
      'pouting',
      ['gesturing no', 'gesturing no'],
      ['gesturing ok', 'gesturing ok'],
      ['tipping hand', 'tipping a hand'],
      ['raising hand', 'raising a hand'],
      'bowing',
      'facepalming',
      'shrugging',
    ],
  },
  {
    name: 'fantasy',
    title: 'Fantasy beings',
    prompt: 'an emoji of a {}, a fantasy being.',
    classes: ['superhero', 'supervillain', 'mage', 'fairy', 'vampire', 'elf', ['merperson', 'mermaid']],
  },
  {
    name: 'appearance',
    title: 'Appearance',
    prompt: 'an emoji of a person with {}.',
    classes: [
      'blond hair',
      'red hair',
      'curly hair',
      'white hair',
      ['bald', 'a bald head'],
      ['beard', 'a beard'],
      ['wearing turban', 'a turban'],
      ['in tuxedo', 'a tuxedo'],
      ['with veil', 'a veil'],
    ],
  },
]

/** The tasks on people, both styles in training and in test, and professions once more under a shift of style. */
export function peopleTaskList(heldOut: HeldOut): DemoTask[] {
  const byRole = groupByRole([...heldOut.emoji.values()])
  const tasks = peopleTasks.map((row) => pooledTask(heldOut, row, byRole))
  const [professions] = peopleTasks
  return professions === undefined ? tasks : [...tasks, shiftTask(heldOut, professions, byRole)]
}

function pooledTask(heldOut: HeldOut, row: PeopleTask, byRole: ReadonlyMap<string, readonly Emoji[]>): DemoTask {
  const train: DemoImage[] = []
  const test: DemoImage[] = []
  row.classes.forEach((entry, label) => {
    for (const emoji of byRole.get(roleOf(entry)) ?? []) {
      const part = isTestVariant(emoji, label) ? test : train
      for (const style of peopleStyles)
        if (heldOut.has(style, emoji.code)) part.push(demoImage(heldOut, style, emoji, label))
    }
  })
  return {
    ...headOf(row),
    train,
    test,
    note: 'Fluent 3D and OpenMoji; a variant (man, woman or person in one skin tone) is in training or in test in both styles.',
  }
}

function shiftTask(heldOut: HeldOut, row: PeopleTask, byRole: ReadonlyMap<string, readonly Emoji[]>): DemoTask {
  const all = (style: HeldOutStyle) =>
    row.classes.flatMap((entry, label) => drawings(heldOut, [style], byRole.get(roleOf(entry)) ?? [], label))
  return {
    ...headOf(row),
    name: `${row.name}-shift`,
    title: `${row.title}: another style`,
    train: all('fluent-3d'),
    test: all('openmoji'),
    note: 'Learned on Fluent 3D only, tested on OpenMoji only.',
    shift: true,
  }
}

function headOf({
  name,
  title,
  prompt,
  classes,
}: PeopleTask): Pick<DemoTask, 'name' | 'title' | 'prompt' | 'classNames'> {
  return { name, title, prompt, classNames: classes.map((entry) => (typeof entry === 'string' ? entry : entry[1])) }
}

function roleOf(entry: ClassRow): string {
  return typeof entry === 'string' ? entry : entry[0]
}

/** `woman: red hair` is `red hair`, `man running` is `running`; drawings that face right are another emoji. */
function groupByRole(emoji: readonly Emoji[]): Map<string, Emoji[]> {
  const groups = new Map<string, Emoji[]>()
  for (const one of emoji) {
    if (one.group !== 'people-body') continue
    const role = mermaids[one.label] ?? one.label.replace(/^(man|woman|person):? /, '')
    groups.set(role, [...(groups.get(role) ?? []), one])
  }
  return groups
}

const mermaids: Readonly<Record<string, string>> = { merman: 'merperson', mermaid: 'merperson' }

/** A third of the 18 variants, two tones of each gender, other ones in every class. */
function isTestVariant(emoji: Emoji, label: number): boolean {
  const gender = /2640|1F469/.test(emoji.code) ? 1 : /2642|1F468/.test(emoji.code) ? 2 : 0
  return ((emoji.tones[0] ?? 0) + gender + label) % 3 === 0
}
