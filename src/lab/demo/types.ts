import type { RgbImage } from '../../clip/types.ts'

/** A drawing of the demo, made when asked for. */
export interface DemoImage {
  /** `style/code`, unique in a task. */
  readonly id: string
  /** Index into the task's class names. */
  readonly label: number
  /** Key of `heldOutStyles`. */
  readonly style: HeldOutStyle
  /** What the drawing shows, without skin tone: the concept that train and test pictures are kept apart by. */
  readonly concept: string
  /** 128 x 128 pixels on white. */
  render(): Promise<RgbImage>
}

/** A few-shot classification task on drawing styles that the small CLIP never saw. */
export interface DemoTask {
  /** One word for files, flags and JSON. */
  readonly name: string
  readonly title: string
  /** The hand-written prompt that zero-shot uses; `{}` is the class name. */
  readonly prompt: string
  readonly classNames: readonly string[]
  /** At least 16 pictures a class, class by class. */
  readonly train: readonly DemoImage[]
  readonly test: readonly DemoImage[]
  /** One sentence: which styles, and what keeps train and test apart. */
  readonly note: string
  /** Trained on one style and tested on another: shown beside the others, not in their mean. */
  readonly shift?: true
}

export type HeldOutStyle =
  | 'fluent-3d'
  | 'fluent-flat'
  | 'fluent-high-contrast'
  | 'openmoji'
  | 'emojione-v1'
  | 'streamline'
