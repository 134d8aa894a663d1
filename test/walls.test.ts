import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'

const SRC = fileURLToPath(new URL('../src', import.meta.url))

/** Folders of src/ from the ground up: a file imports from its own folder and from those below it. */
const CORE = [
  'base',
  'graph',
  'runtime',
  'formats',
  'clip',
  'pictures',
  'learning',
  'prompt',
  'methods',
  'data',
  'trained',
]
const FLOORS = [...CORE, 'web', 'node', 'datasets', 'report', 'runs', 'public', 'cli', 'lab', 'testing']
/** What the core imports of other people's; it runs in a browser as it is. */
const CORE_PACKAGES = ['entities/decode', 'zod']
/** Nobody in the house goes in or out by its front doors, and nothing that users get is from these. */
const OUTSIDE = ['public', 'lab', 'testing']
/** The ways in that are free of Node. */
const CORE_ENTRIES = ['public/index.ts', 'graph/index.ts']
/** A method as somebody else's package would have it. */
const GUEST = 'testing/lora.ts'

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
    expect(readSource('prompt/layout.ts').imports).toContain('../base/errors.ts')
  })

  it('of every folder point down', () => {
    expect(sources.filter(({ file }) => !FLOORS.includes(floorOf(file))).map(({ file }) => file)).toEqual([])
    const down = (source: Source, name: string) => {
      const to = FLOORS.indexOf(floorOf(target(source, name)))
      return !isLocal(name) || (to >= 0 && to <= FLOORS.indexOf(floorOf(source.file)))
    }
    expect(faults(sources, down)).toEqual([])
  })

  it('of the core stay in the core, without Node and packages made for it', () => {
    const core = sources.filter(({ file }) => CORE.includes(floorOf(file)))
    const allowed = (source: Source, name: string) =>
      isLocal(name) ? CORE.includes(floorOf(target(source, name))) : CORE_PACKAGES.includes(name)
    expect(faults(core, allowed)).toEqual([])
  })

  it('of the entries for every platform lead to the core alone', () => {
    const entries = sources.filter(({ file }) => CORE_ENTRIES.includes(file))
    expect(entries.map(({ file }) => file).sort()).toEqual([...CORE_ENTRIES].sort())
    expect(faults(entries, (source, name) => CORE.includes(floorOf(target(source, name))))).toEqual([])
  })

  it('of the page stay in the page and the core, without Node', () => {
    const page = sources.filter(({ file }) => floorOf(file) === 'web' || file === 'public/web.ts')
    const packages = [...CORE_PACKAGES, 'onnxruntime-web/wasm', 'onnxruntime-web/webgpu']
    const allowed = (source: Source, name: string) =>
      isLocal(name) ? [...CORE, 'web'].includes(floorOf(target(source, name))) : packages.includes(name)
    expect(page.length).toBeGreaterThan(10)
    expect(faults(page, allowed)).toEqual([])
  })

  it('never come from tests, their helpers, the lab or the entries', () => {
    const isOutside = (file: string) => OUTSIDE.includes(floorOf(file))
    const allowed = (source: Source, name: string) =>
      !isLocal(name) || (!name.includes('.test.') && (isOutside(source.file) || !isOutside(target(source, name))))
    expect(faults(sources, allowed)).toEqual([])
  })

  it("of a method of one's own come from the entries alone", () => {
    const guest = sources.filter(({ file }) => file === GUEST)
    expect(guest).toHaveLength(1)
    const allowed = (source: Source, name: string) =>
      isLocal(name) ? CORE_ENTRIES.includes(target(source, name)) : CORE_PACKAGES.includes(name)
    expect(faults(guest, allowed)).toEqual([])
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
