/** One labelled picture: where it lies and the index of its class. */
export interface Item {
  readonly path: string
  readonly label: number
}

/** Labelled pictures in three parts; `label` indexes `classNames`. `val` may be empty. */
export interface Dataset {
  readonly name: string
  readonly root: string
  readonly classNames: readonly string[]
  readonly train: readonly Item[]
  readonly val: readonly Item[]
  readonly test: readonly Item[]
}
