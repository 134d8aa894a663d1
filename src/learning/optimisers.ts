import { type AdamWSettings, adamWStep } from './adamw.ts'
import { sgdStep } from './sgd.ts'

/** Takes over the values of a tensor, which each update changes in place. */
export type Optimiser = (values: Float32Array) => {
  /** What is kept between updates, zeros before the first, changed in place; as long as the values. */
  readonly buffers: Readonly<Record<string, Float32Array>>
  /** @param step number of this update, from 1 */
  update(gradient: Float32Array, learningRate: number, step: number): void
}

/** SGD with momentum 0.9 and weight decay 5e-4 (see sgdStep). */
export const sgd: Optimiser = (values) => {
  const momentum = new Float32Array(values.length)
  return {
    buffers: { momentum },
    update: (gradient, learningRate) => sgdStep({ values, momentum }, gradient, learningRate),
  }
}

/** AdamW (see adamWStep). */
export const adamW =
  (settings: AdamWSettings): Optimiser =>
  (values) => {
    const first = new Float32Array(values.length)
    const second = new Float32Array(values.length)
    return {
      buffers: { first, second },
      update: (gradient, rate, step) => adamWStep({ values, first, second }, gradient, step, rate, settings),
    }
  }
