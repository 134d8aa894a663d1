import type { HeldOut } from './held-out.ts'
import { drawings, leastTest, leastTrain, splitByConcept } from './pictures.ts'
import type { DemoImage, DemoTask, HeldOutStyle } from './types.ts'

const objectStyles: readonly HeldOutStyle[] = ['fluent-3d', 'emojione-v1']

/** Classes and the emoji subgroups that make them. */
const objectClasses: readonly (readonly [name: string, subgroups: readonly string[]])[] = [
  ['mammal', ['animal-mammal']],
  ['bird', ['animal-bird']],
  ['sea animal', ['animal-marine']],
  ['insect', ['animal-bug']],
  ['plant', ['plant-flower', 'plant-other']],
  ['fruit', ['food-fruit']],
  ['vegetable', ['food-vegetable']],
  ['meal', ['food-prepared', 'food-asian']],
  ['dessert', ['food-sweet']],
  ['drink', ['drink']],
  ['building', ['place-building', 'place-religious']],
  ['land vehicle', ['transport-ground']],
  ['ship or aircraft', ['transport-water', 'transport-air']],
  ['weather symbol', ['sky-weather']],
  ['clock', ['time']],
  ['celebration', ['event']],
  ['sports equipment', ['sport']],
  ['game', ['game']],
  ['piece of clothing', ['clothing']],
  ['musical instrument', ['musical-instrument', 'music']],
  ['electronic device', ['computer', 'phone']],
  ['book or paper', ['book-paper']],
  ['office supply', ['office']],
  ['tool', ['tool']],
  ['household item', ['household']],
]

/** Things by kind: the test things are other things than those learned from. */
export function objectTask(heldOut: HeldOut): DemoTask {
  const train: DemoImage[] = []
  const test: DemoImage[] = []
  const classNames: string[] = []
  for (const [name, subgroups] of objectClasses) {
    const emoji = [...heldOut.emoji.values()].filter(
      (one) => one.tones.length === 0 && subgroups.includes(one.subgroup),
    )
    const parts = splitByConcept([drawings(heldOut, objectStyles, emoji, classNames.length)], 1 / 3, name)
    if (parts.train.length < leastTrain || parts.test.length < leastTest) continue
    classNames.push(name)
    for (const one of parts.train) train.push(one)
    for (const one of parts.test) test.push(one)
  }
  return {
    name: 'objects',
    title: 'Things by kind',
    prompt: 'an emoji of a {}.',
    classNames,
    train,
    test,
    note: 'Fluent 3D and EmojiOne v1; no thing that is learned from is tested, in either style.',
  }
}
