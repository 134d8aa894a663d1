/** One labelled picture: where it is and the index of its class. */
export interface Item {
  readonly path: string
  readonly label: number
  /** What its data set calls it: the path as the split file has it, or below the folder of images. */
  readonly name?: string
}

/** Labelled pictures in three parts; `label` indexes `classNames`. `val` may be empty. */
export interface Dataset {
  readonly name: string
  readonly root: string
  readonly classNames: readonly string[]
  readonly train: readonly Item[]
  readonly val: readonly Item[]
  readonly test: readonly Item[]
  /** `val` holds the test images themselves (ImageNet): it is taken whole, no few are drawn of it. */
  readonly valIsTest?: boolean
  /** Share of each class that a seed held out for testing; undefined where the data set marks its parts itself. */
  readonly testShare?: number
  /** Epochs that the paper learns for on it, whatever the shots, where these do not follow from the shots. */
  readonly epochs?: number
  /** The data set's hand-written prompts, `{}` for the class name. */
  readonly templates?: readonly string[]
  /** The file that names the pictures, where there is one. */
  readonly listedIn?: string
}
