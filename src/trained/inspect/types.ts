import type { Part } from '../../data/split.ts'
import type { FloatTensor } from '../../graph/tensor.ts'
import type { ReliabilityBin } from '../../learning/calibration.ts'

/** Pictures of a run as its model and its classifier see them. */
export interface Inspected {
  readonly classNames: readonly string[]
  readonly pictures: readonly {
    readonly file: string
    /** The run learned from those of `train`, and may have chosen settings by those of `val`. */
    readonly part: Part
    /** An index into classNames, as its data set says. */
    readonly label: number
    /** Hash of its content. */
    readonly content: string
  }[]
  /** Of the image tower, `(n, embed)`. */
  readonly features: FloatTensor
  /** Of the run, `(n, classes)`. */
  readonly logits: FloatTensor
  /** Of hand-written prompts, `(n, classes)`. */
  readonly zeroShot: FloatTensor
}

/** A picture, what it is, and what is seen in it. */
export interface PictureRow {
  /** Its place among the pictures. */
  readonly picture: number
  readonly file: string
  readonly part: Part
  readonly label: string
  /** The run's answer, and how probable it and the label are to the run. */
  readonly answer: string
  readonly probability: number
  readonly ofLabel: number
  /** The answer by hand-written prompts. */
  readonly zeroShot: string
}

/** Answers on the pictures that the run is judged by. */
export interface Judged {
  /** `test`, or without test pictures `train`. */
  readonly part: Part
  /** The run has learned from these very pictures, so that it is no measure of what it does with others. */
  readonly seen: boolean
  readonly tested: number
  readonly accuracy: number
  /** Wilson's 95 % interval. */
  readonly interval: readonly [number, number]
  /** Of always giving the most frequent class. */
  readonly chance: number
  /** Of hand-written prompts on the same pictures. */
  readonly zeroShot: number
  /** Of the nearest class mean of all pictures, each left out of its own; null where no class has two. */
  readonly leftOut: number | null
}

/** Pictures of one class that got one answer. */
export interface ConfusionCell {
  readonly label: string
  readonly answer: string
  readonly pictures: readonly number[]
}

/** What there is to know about the errors of a run and the pictures of its data set. Fractions are of 1. */
export interface InspectionTables {
  readonly classNames: readonly string[]
  readonly judged: Judged
  readonly pictures: readonly PictureRow[]
  /** Of the judged pictures; cells without any are left out. */
  readonly confusion: readonly ConfusionCell[]
  /** Judged pictures with a wrong answer, the surest first. */
  readonly mistakes: readonly PictureRow[]
  /** Labels that are probably wrong, the most doubtful first. */
  readonly labels: readonly (PictureRow & { readonly suggested: string; readonly doubt: number })[]
  /** Pictures that are the same or nearly, those across parts first, then those of different labels. */
  readonly duplicates: readonly AlikeRow[]
  /** Pictures unlike all others, the strangest first. */
  readonly outliers: readonly (PictureRow & { readonly likeness: number })[]
  /** Where pictures lie, those near each other that look alike to the model; coordinates from 0 to 1. */
  readonly map: readonly { readonly picture: number; readonly x: number; readonly y: number }[]
  /** Bins without pictures are left out. */
  readonly reliability: { readonly error: number; readonly bins: readonly ReliabilityBin[] }
  /** The one that needs pictures most first. */
  readonly classes: readonly ClassRow[]
  /** Pictures that were not compared with others, where there are too many: a seed chose those that were. */
  readonly notCompared: number
}

/** Pictures that are the same, or nearly the same to the model. */
export interface AlikeRow {
  readonly pictures: readonly PictureRow[]
  readonly same: boolean
  readonly cosine: number
  /** Some were learned from, others are tested on. */
  readonly acrossParts: boolean
  readonly differentLabels: boolean
}

/** A class among the judged pictures. */
export interface ClassRow {
  readonly label: string
  /** Pictures that the run learned from. */
  readonly trained: number
  readonly tested: number
  /** Share of its pictures with the right answer, and Wilson's 95 % interval; null where none is judged. */
  readonly accuracy: number | null
  readonly interval: readonly [number, number] | null
  /** Pictures of other classes that are taken for it. */
  readonly wronglyGiven: number
  /** What its pictures are most often taken for. */
  readonly takenFor: string | null
  /** How much one more picture may help; see classRows. */
  readonly need: number
}

/** The tables of a run, and what they are of. */
export interface Inspection extends InspectionTables {
  /** Name of its folder. */
  readonly run: string
  readonly data: string
  /** Title of its method. */
  readonly method: string
  readonly model: string
  readonly version: string
  /**
   * Whether the pictures of `train` are those that the run learned from: `these`; `changed`, some of them may be others by now;
   * `none`, it learned from other pictures, or from none.
   */
  readonly learnedFrom: 'these' | 'changed' | 'none'
}
