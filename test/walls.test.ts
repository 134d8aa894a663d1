import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'

const SRC = fileURLToPath(new URL('../src', import.meta.url))

/** Folders of src/ from the ground up: a file imports from its own folder and from those below it. */
const FLOORS = [
  'graph',
  'runtime',
  'clip',
  'prompt',
  'baselines',
  'methods',
  'node',
  'data',
  'report',
  'pretrain',
  'demo',
  'experiments',
  'cli',
]
/** They run in a browser as they are. */
const CORE = ['graph', 'runtime', 'clip', 'prompt', 'baselines', 'methods']
/** What the core imports of other people's. */
const CORE_PACKAGES = ['zod']
/** Files of src/ itself that everybody may import. */
const GROUND = ['errors.ts', 'progress.ts', 'random.ts', 'spelling.ts']
/** Files that only give names to users, and folders beside the house. */
const ENTRIES = ['index.ts', 'node/index.ts']
const BESIDE = ['golden', 'testing']
/** The body of Node's worker thread. */
const NODE_WORKER = 'runtime/worker.js'

interface Source {
  /** Path below src/. */
  readonly file: string
  readonly imports: readonly string[]
}

const floorOf = (file: string) => file.split('/')[0] ?? ''
const isLocal = (name: string) => name.startsWith('.')
const target = ({ file }: Source, name: string) => join(dirname(file), name)

function readSource(file: string): Source {
  const { importedFiles } = ts.preProcessFile(readFileSync(join(SRC, file), 'utf8'))
  return { file, imports: importedFiles.map(({ fileName }) => fileName) }
}

const sources = readdirSync(SRC, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && /\.(ts|js)$/.test(entry.name) && !entry.name.endsWith('.test.ts'))
  .map((entry) => relative(SRC, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
  .filter((file) => !file.includes('/fixtures/'))
  .map(readSource)

/** `FILE imports NAME` for what is not allowed. */
const faults = (files: readonly Source[], allowed: (source: Source, name: string) => boolean) =>
  files.flatMap((source) =>
    source.imports.filter((name) => !allowed(source, name)).map((name) => `${source.file} imports ${name}`),
  )

/** A way along imports that comes back to where it began. */
function findCycle(graph: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const done = new Set<string>()
  const visit = (file: string, way: readonly string[]): string[] | undefined => {
    if (way.includes(file)) return [...way.slice(way.indexOf(file)), file]
    if (done.has(file)) return undefined
    for (const next of graph.get(file) ?? []) {
      const cycle = visit(next, [...way, file])
      if (cycle !== undefined) return cycle
    }
    done.add(file)
    return undefined
  }
  for (const file of graph.keys()) {
    const cycle = visit(file, [])
    if (cycle !== undefined) return cycle
  }
  return undefined
}

describe('imports', () => {
  it('are found', () => {
    expect(sources.length).toBeGreaterThan(100)
    expect(readSource('prompt/train.ts').imports).toContain('../clip/types.ts')
    expect(readSource('cli/actions.ts').imports).toContain('../experiments/folder.ts')
  })

  it('of every folder point down', () => {
    const inHouse = sources.filter(({ file }) => !BESIDE.includes(floorOf(file)) && !ENTRIES.includes(file))
    const strange = inHouse.filter(({ file }) => !FLOORS.includes(floorOf(file)) && !GROUND.includes(file))
    expect(strange.map(({ file }) => file)).toEqual([])
    const down = (source: Source, name: string) => {
      const to = target(source, name)
      if (!isLocal(name) || GROUND.includes(to)) return true
      return FLOORS.includes(floorOf(to)) && FLOORS.indexOf(floorOf(to)) <= FLOORS.indexOf(floorOf(source.file))
    }
    expect(faults(inHouse, down)).toEqual([])
  })

  it('of the core and its entry stay in the core, without Node and packages made for it', () => {
    const isCore = (file: string) => CORE.includes(floorOf(file)) || GROUND.includes(file) || file === 'index.ts'
    const core = sources.filter(({ file }) => isCore(file) && file !== NODE_WORKER)
    const allowed = (source: Source, name: string) =>
      isLocal(name) ? isCore(target(source, name)) : CORE_PACKAGES.includes(name)
    expect(faults(core, allowed)).toEqual([])
  })

  it('never come from tests, their helpers or the entries', () => {
    const outside = sources.filter(({ file }) => floorOf(file) !== 'testing')
    const allowed = (source: Source, name: string) =>
      !isLocal(name) ||
      !(
        name.includes('.test.') ||
        floorOf(target(source, name)) === 'testing' ||
        ENTRIES.includes(target(source, name))
      )
    expect(faults(outside, allowed)).toEqual([])
  })

  it('go in no circle', () => {
    const files = sources.map((source): [string, string[]] => [
      source.file,
      source.imports.filter(isLocal).map((name) => target(source, name)),
    ])
    expect(findCycle(new Map(files))).toBeUndefined()
    expect(
      findCycle(
        new Map([
          ['a', ['b']],
          ['b', ['c']],
          ['c', ['b']],
        ]),
      ),
    ).toEqual(['b', 'c', 'b'])
  })
})
