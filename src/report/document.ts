/** A report before it is written as Markdown, HTML or text; all strings are plain text. */
export interface Document {
  readonly title: string
  /** What it says, in a sentence above all else. */
  readonly answer?: string
  readonly blocks: readonly Block[]
}

export type Block =
  | { readonly kind: 'heading'; readonly level: 2 | 3; readonly text: string }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'list'; readonly items: readonly string[] }
  | { readonly kind: 'code'; readonly text: string }
  | Table
  | Figure

export interface Table {
  readonly kind: 'table'
  readonly head: readonly string[]
  readonly rows: readonly TableLine[]
  /** Columns of words, from the left; the others hold numbers. */
  readonly words: number
}

export interface TableLine {
  readonly cells: readonly string[]
  /** A line of another subject than the one above. */
  readonly first?: boolean
}

export interface Figure {
  readonly kind: 'figure'
  /** Name of its file, without ending. */
  readonly name: string
  readonly title: string
  /** A drawing of one size, for a file. */
  readonly svg: string
  /** The same for a page, as wide as there is room. */
  readonly html: string
}

export const heading = (level: 2 | 3, text: string): Block => ({ kind: 'heading', level, text })
export const text = (words: string): Block => ({ kind: 'text', text: words })
export const list = (items: readonly string[]): Block => ({ kind: 'list', items })
export const code = (words: string): Block => ({ kind: 'code', text: words })

/** Lines whose first cell says the same as the line above lose it, so that it heads its lines. */
export function groupedTable(head: readonly string[], words: number, rows: readonly (readonly string[])[]): Table {
  const lines = rows.map(([subject = '', ...cells], i): TableLine => {
    const first = subject !== rows[i - 1]?.[0]
    return { cells: [first ? subject : '', ...cells], first }
  })
  return { kind: 'table', head, words, rows: lines }
}

export function plainTable(head: readonly string[], words: number, rows: readonly (readonly string[])[]): Table {
  return { kind: 'table', head, words, rows: rows.map((cells) => ({ cells })) }
}

export const figuresOf = ({ blocks }: Document): Figure[] => blocks.filter((block) => block.kind === 'figure')
