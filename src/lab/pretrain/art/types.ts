export type PictureGroup = 'emoji' | 'icon' | 'clipart'

/** What is known of a training picture; captions are made from this. */
export interface PictureFacts {
  /** `set/name` */
  readonly id: string
  readonly set: string
  /** Key of the words for the drawing style (captions.ts). */
  readonly style: string
  readonly group: PictureGroup
  /** Pictures of one concept in several styles share it: the squeezed label. */
  readonly concept: string
  readonly label: string
  readonly keywords: readonly string[]
  /** `animal-mammal` for emoji, a category for icons, a folder for clip art; '' where unknown. */
  readonly subgroup: string
  /** `people-body` and so on for emoji, '' for the others. */
  readonly section: string
  readonly tones: readonly number[]
  /** False for drawings in one colour, which are stored as coverage only and inked while training. */
  readonly palette: boolean
  /** True where the mirrored picture shows the same thing. */
  readonly flippable: boolean
}

export interface Picture extends PictureFacts {
  /** The drawing as SVG text, or the path of an SVG file. */
  readonly source: { readonly svg: string } | { readonly file: string }
}

export interface PictureSet {
  readonly name: string
  readonly pictures: readonly Picture[]
  /** Icons of the set that were left out (no emoji of that name, brands, letters, repeated variants). */
  readonly leftOut: number
}
