import { type Document, isAlias, isCollection, isScalar, LineCounter, type Node, parseDocument, visit } from 'yaml'

/** What is wrong with a YAML text, and where in it. */
export interface YamlFault {
  readonly offset: number
  readonly message: string
}

export interface Yaml {
  readonly document: Document.Parsed
  readonly lines: LineCounter
  /** Empty where there is a value. */
  readonly faults: readonly YamlFault[]
  readonly value: unknown
}

const MAX_ALIASES = 100
const MAX_FAULTS = 20
const MAX_DEPTH = 50

/** Reads YAML from anywhere: what is no YAML, or would grow without bound when its aliases are filled in, is a fault. */
export function readYaml(text: string): Yaml {
  const lines = new LineCounter()
  const deep = tooDeep(text)
  // its own search for keys that are there twice compares each with each
  const options = { lineCounter: lines, prettyErrors: false, uniqueKeys: false }
  const document = parseDocument(deep === undefined ? text : '', options)
  if (deep !== undefined) {
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lines.addNewLine(at + 1)
    return {
      document,
      lines,
      faults: [
        { offset: deep, message: `nested deeper than ${MAX_DEPTH} levels, or indented by more than 300 characters` },
      ],
      value: undefined,
    }
  }
  const written = document.errors.map(({ message, pos }) => ({
    offset: pos[0],
    message: message.split('\n')[0] ?? message,
  }))
  const faults = written.length > 0 ? written : contentFaults(document)
  return { document, lines, faults, value: faults.length > 0 ? undefined : document.toJS({ maxAliasCount: -1 }) }
}

/** Keys that are there twice; aliases without an anchor, of what has aliases itself (which doubles with each level, or never ends), or too many; `__proto__`. */
function contentFaults(document: Document.Parsed): YamlFault[] {
  const faults: YamlFault[] = []
  let count = 0
  visit(document, {
    Map(_, { items }) {
      const seen = new Set<unknown>()
      for (const { key } of items) {
        if (!isScalar(key)) continue
        if (seen.has(key.value)) faults.push({ offset: key.range?.[0] ?? 0, message: 'Map keys must be unique' })
        if (faults.length > MAX_FAULTS) return visit.BREAK
        seen.add(key.value)
      }
      return undefined
    },
    Pair(_, { key }) {
      // objects lose it on their way
      if (!isScalar(key) || key.value !== '__proto__') return
      faults.push({ offset: key.range?.[0] ?? 0, message: 'unknown key "__proto__"' })
    },
    Alias(_, alias) {
      const offset = alias.range?.[0] ?? 0
      const target = alias.resolve(document)
      if (target === undefined)
        faults.push({ offset, message: `the alias *${alias.source} has no anchor &${alias.source} before it` })
      else if (hasAliases(target)) {
        faults.push({
          offset,
          message: `the alias *${alias.source} stands for something that has aliases itself: write it out`,
        })
      } else if (++count === MAX_ALIASES + 1) faults.push({ offset, message: `more than ${MAX_ALIASES} aliases` })
      return faults.length > MAX_FAULTS || count > MAX_ALIASES ? visit.BREAK : undefined
    },
  })
  return faults
}

function hasAliases(node: Node): boolean {
  let found = false
  if (!isCollection(node)) return isAlias(node)
  visit(node, {
    Alias() {
      found = true
      return visit.BREAK
    },
  })
  return found
}

/**
 * Where a text opens more levels than anybody means: the parser calls itself for each, and makes a regular expression of
 * the indentation, of which the whole process may die.
 */
function tooDeep(text: string): number | undefined {
  const places = [
    INDENTED.exec(text)?.index,
    deeperThan(MAX_DEPTH, text, BRACKETS_OUTSIDE),
    deeperThan(MAX_BRACKETS, text, BRACKETS),
  ]
  const found = places.filter((place) => place !== undefined)
  return found.length > 0 ? Math.min(...found) : undefined
}

const INDENTED = /^[ \t?:-]{300}/m
/** Brackets outside quotes and comments, as it seems: to the parser "it's" begins no quote. */
const BRACKETS_OUTSIDE = /"(?:[^"\\]|\\.)*"|'[^']*'|#[^\n]*|[[\]{}]/g
const BRACKETS = /[[\]{}]/g
/** The stack ends behind some more. */
const MAX_BRACKETS = 300

/** Where more brackets are open than so many. */
function deeperThan(most: number, text: string, tokens: RegExp): number | undefined {
  let depth = 0
  for (const { 0: token, index } of text.matchAll(tokens)) {
    if (token === '[' || token === '{') depth++
    else if (token === ']' || token === '}') depth = Math.max(0, depth - 1)
    if (depth > most) return index
  }
  return undefined
}
