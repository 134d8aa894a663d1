// Tries the package as a user gets it: packs dist/ (npm run build first), unpacks it in an empty project, type-checks the
// README's example against its types, imports it and runs its command in a Node that must not warn.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { readmeExample } from './readme.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** What a user's first lines do: each entry is imported, prompts are asked of the bundled model. */
const SMOKE = `
import { encodeTexts, loadClip, zeroShotFeatures } from 'coop-ts'
import { add, Graph, program } from 'coop-ts/graph'
import { bundledModel, folderModelFiles, nodeRuntime } from 'coop-ts/node'

const graph = new Graph()
const x = graph.input('x', [1])
const runtime = await nodeRuntime({ threads: 1 })
const session = await runtime.load(program(graph, { y: add(x, x) }))
const { y } = await session.run({ x: { dtype: 'float32', shape: [1], data: Float32Array.of(21) } })
const clip = await loadClip(folderModelFiles(bundledModel()))
const textFeatures = await zeroShotFeatures({ clip, runtime, classNames: ['cat', 'dog'], templates: ['a photo of a {}.'] })
const { shape } = await encodeTexts(clip, runtime, ['a cat'])
await runtime.close()
console.log(JSON.stringify({ sum: y.data[0], finite: textFeatures.data.every(Number.isFinite), texts: shape[0] }))
`

const CONSUMER = {
  compilerOptions: {
    target: 'ES2022',
    module: 'NodeNext',
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noEmit: true,
    types: ['node'],
  },
  files: ['example.ts'],
}

const project = mkdtempSync(join(tmpdir(), 'coop-package-'))
try {
  const files = unpack()
  check(
    'holds dist, models, plans and papers only',
    files.every(isWanted),
    files.filter((file) => !isWanted(file)).join(', '),
  )
  check(
    'has the files that package.json names',
    named().every((file) =>
      files.some((packed) => (file.endsWith('*') ? packed.startsWith(file.slice(0, -1)) : packed === file)),
    ),
    named().join(', '),
  )

  writeFileSync(join(project, 'example.ts'), readmeExample())
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify(CONSUMER))
  const tsc = node([join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', project])
  check("the README's example fits its types", tsc.status === 0, tsc.stdout)

  writeFileSync(join(project, 'smoke.js'), SMOKE)
  const smoke = node(['smoke.js'])
  const expected = JSON.stringify({ sum: 42, finite: true, texts: 1 })
  check('runs without a warning', smoke.stdout.trim() === expected && smoke.stderr === '', smoke.stdout + smoke.stderr)

  const { version } = packageJson()
  const command = node(['node_modules/coop-ts/dist/cli/main.js', '--version'])
  check('has the command', command.stdout.trim() === version && command.stderr === '', command.stdout + command.stderr)
} finally {
  rmSync(project, { recursive: true, force: true })
}

/** The packed package and links to what it depends on, in an empty project; gives the files of the package. */
function unpack(): string[] {
  const said = execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', project], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'ignore'],
    encoding: 'utf8',
    shell: process.platform === 'win32',
  })
  const packed = z
    .array(z.object({ filename: z.string(), files: z.array(z.object({ path: z.string() })) }))
    .parse(JSON.parse(said))
  const modules = join(project, 'node_modules')
  mkdirSync(modules)
  execFileSync('tar', ['-xzf', join(project, packed[0]?.filename ?? ''), '-C', modules])
  symlinkSync(join(modules, 'package'), join(modules, 'coop-ts'), 'junction')
  for (const name of [...Object.keys(packageJson().dependencies), '@types/node']) {
    const link = join(modules, name)
    mkdirSync(dirname(link), { recursive: true })
    symlinkSync(join(ROOT, 'node_modules', name), link, 'junction')
  }
  writeFileSync(join(project, 'package.json'), JSON.stringify({ type: 'module', private: true }))
  return packed.flatMap(({ files }) => files.map(({ path }) => path))
}

function isWanted(file: string): boolean {
  const wanted = /^(dist|models|docs\/plans|src)\/|^(package\.json|README\.md|LICENSE|NOTICE)$/.test(file)
  return wanted && !/\.test\.|fixtures|testing|\blab\b/.test(file)
}

/** Files that entries and commands point to. */
function named(): string[] {
  const { bin, exports } = packageJson()
  const targets = Object.values(exports).flatMap((entry) =>
    typeof entry === 'string' ? [entry] : Object.values(entry),
  )
  return [...targets, ...Object.values(bin)].map((path) => path.replace(/^\.\//, ''))
}

function packageJson() {
  const text = readFileSync(join(ROOT, 'package.json'), 'utf8')
  const paths = z.record(z.string(), z.string())
  return z
    .object({
      version: z.string(),
      bin: paths,
      dependencies: paths,
      exports: z.record(z.string(), z.union([z.string(), paths])),
    })
    .parse(JSON.parse(text))
}

function node(args: readonly string[]) {
  return spawnSync(process.execPath, args, { cwd: project, encoding: 'utf8' })
}

function check(what: string, holds: boolean, otherwise: string): void {
  console.log(`package ${what}: ${holds ? 'ok' : 'FAIL'}`)
  if (holds) return
  console.error(otherwise)
  process.exitCode = 1
}
