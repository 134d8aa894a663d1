import { toneNames } from '../pretrain/art/emoji.ts'
import type { HeldOut } from './held-out.ts'
import { peopleStyles } from './people.ts'
import { drawings, splitByConcept } from './pictures.ts'
import type { DemoTask, HeldOutStyle } from './types.ts'

/** How a person would call each held-out style. */
const styleNames: readonly (readonly [style: HeldOutStyle, name: string])[] = [
  ['fluent-3d', '3d'],
  ['emojione-v1', 'shaded'],
  ['streamline', 'cartoon'],
  ['openmoji', 'outlined'],
  ['fluent-flat', 'flat'],
  ['fluent-high-contrast', 'black and white'],
]

/** Which of six styles a thing is drawn in. */
export function styleTask(heldOut: HeldOut): DemoTask {
  const things = [...heldOut.emoji.values()].filter(
    (one) => one.tones.length === 0 && ['animals-nature', 'food-drink', 'travel-places', 'objects'].includes(one.group),
  )
  const parts = styleNames.map(([style], label) => drawings(heldOut, [style], things, label))
  const { train, test } = splitByConcept(parts, 1 / 2, 'style')
  return {
    name: 'style',
    title: 'Drawing style',
    prompt: 'an emoji in {} style.',
    classNames: styleNames.map(([, name]) => name),
    train,
    test,
    note: 'Six styles; no thing that is learned from is tested, in any style.',
  }
}

/** Skin tones of people at work, at sport and so on. */
export function toneTask(heldOut: HeldOut): DemoTask {
  const subgroups = ['person-role', 'person-activity', 'person-sport', 'person-gesture', 'person-resting']
  const all = [...heldOut.emoji.values()]
  const toned = new Set(all.filter((one) => one.tones.length === 1).map((one) => one.base))
  const people = all.filter((one) => subgroups.includes(one.subgroup) && toned.has(one.base) && one.tones.length < 2)
  const parts = toneNames.map((_, tone) =>
    drawings(
      heldOut,
      peopleStyles,
      people.filter((one) => (one.tones[0] ?? 0) === tone),
      tone,
    ),
  )
  const { train, test } = splitByConcept(parts, 1 / 3, 'tone')
  return {
    name: 'skin-tone',
    title: 'Skin tone',
    prompt: 'an emoji of a person with {}.',
    classNames: toneNames.map((name) => (name === '' ? 'yellow skin' : `${name} skin tone`)),
    train,
    test,
    note: 'Fluent 3D and OpenMoji; no kind of person that is learned from is tested, in any tone.',
  }
}
