import { randomFor } from '../../base/random.ts'
import type { Emoji } from '../pretrain/art/emoji.ts'
import type { HeldOut } from './held-out.ts'
import type { DemoImage, HeldOutStyle } from './types.ts'

/** Most pictures a class in each part: more would only make the demo slower. */
export const mostTrain = 32
export const mostTest = 20
/** Fewer than this and a class is not in a task: 16 shots and something to test on. */
export const leastTrain = 16
export const leastTest = 4

export function demoImage(heldOut: HeldOut, style: HeldOutStyle, emoji: Emoji, label: number): DemoImage {
  const { code, base } = emoji
  return { id: `${style}/${code}`, label, style, concept: base, render: () => heldOut.render(style, code) }
}

/** The drawings of some emoji in some styles, where a style has them. */
export function drawings(
  heldOut: HeldOut,
  styles: readonly HeldOutStyle[],
  emoji: readonly Emoji[],
  label: number,
): DemoImage[] {
  return styles.flatMap((style) =>
    emoji.filter((one) => heldOut.has(style, one.code)).map((one) => demoImage(heldOut, style, one, label)),
  )
}

/** A part of the items in an order that depends on the key only. */
export function sample<T>(items: readonly T[], most: number, ...key: (string | number)[]): T[] {
  const order = randomFor('demo', ...key).permutation(items.length)
  return Array.from(order.subarray(0, most), (i) => items[i]!)
}

/**
 * Splits concepts, not pictures: `testShare` of the concepts are tested and in no class, style or tone learned from.
 * Each class (a list of its pictures) then keeps at most `mostTrain` and `mostTest` pictures.
 */
export function splitByConcept(
  classes: readonly (readonly DemoImage[])[],
  testShare: number,
  key: string,
): { train: DemoImage[]; test: DemoImage[] } {
  const concepts = [...new Set(classes.flat().map((image) => image.concept))].sort()
  const tested = new Set(sample(concepts, Math.round(concepts.length * testShare), 'concepts', key))
  const part = (most: number, wanted: (image: DemoImage) => boolean) =>
    classes.flatMap((images, i) => sample(images.filter(wanted), most, 'pictures', key, i))
  return {
    train: part(mostTrain, (image) => !tested.has(image.concept)),
    test: part(mostTest, (image) => tested.has(image.concept)),
  }
}
